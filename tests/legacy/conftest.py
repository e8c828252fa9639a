"""Before the tests of the sources of old sessions."""

import tests.quiet  # noqa: F401
