"""The rows of the report, in the order of the argument."""

from __future__ import annotations

from .ease import EASE
from .experiment import Experiment
from .expiry import EXPIRY
from .flexibility import FLEXIBILITY
from .revocation import REVOCATION
from .scaling import SCALING
from .size import SIZE
from .stale import STALE

EXPERIMENTS: tuple[Experiment, ...] = (SCALING, EASE, FLEXIBILITY, EXPIRY, SIZE, REVOCATION, STALE)
"""Row 1 is the first."""

NUMBERS = {experiment.name: number for number, experiment in enumerate(EXPERIMENTS, 1)}
