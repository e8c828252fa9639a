"""A site with the pages mounted, for a real server: the store is the environment's, the clock is real."""

from __future__ import annotations

import os

from coatcheck.clock import system_clock
from tests.pages.site import site

app = site(system_clock, os.environ["COATCHECK_STORE"], home_url="/")
