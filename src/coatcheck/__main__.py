"""`python -m coatcheck`."""

import sys

from coatcheck.cli import main

sys.exit(main())
