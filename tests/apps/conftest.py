"""Before the tests of the applications."""

import tests.quiet  # noqa: F401
