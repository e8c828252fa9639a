"""Paths that a setting names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .errors import ConfigurationError


class Paths:
    """Exact raw paths, and prefixes that end with a slash. Never normalised: CVE-2025-47910.

    Raises `ConfigurationError` for one that does not start with a slash."""

    def __init__(self, paths: Iterable[str], setting: str) -> None:
        paths = [paths] if isinstance(paths, str) else list(paths)
        for path in paths:
            if not path.startswith("/"):
                raise ConfigurationError(f"{setting}={path!r}: a path starts with '/'")
        self._exact = frozenset(paths)
        self._prefixes = tuple(path for path in paths if path.endswith("/") and path != "/")
        self.match: Callable[[str], bool] = self._begins if self._prefixes else self._exact.__contains__
        """Whether a raw path is one of them."""

    @property
    def given(self) -> frozenset[str]:
        """All of them."""
        return self._exact

    def _begins(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)
