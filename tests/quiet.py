"""Imports Pyramid: what it stands on uses deprecated modules, and in these tests a warning is an error."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pyramid.config  # type: ignore[import-untyped]  # noqa: F401
