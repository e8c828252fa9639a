"""The rows of the report, in the order of the argument."""

from __future__ import annotations

from .blocked import BLOCKED
from .consent import CONSENT
from .csrf import CSRF
from .download import DOWNLOAD
from .ease import EASE
from .experiment import Experiment
from .expiry import EXPIRY
from .flexibility import FLEXIBILITY
from .libraries import LIBRARIES_ROW
from .mobile import MOBILE
from .once import ONCE
from .revocation import REVOCATION
from .scaling import SCALING
from .security import SECURITY
from .size import SIZE
from .stale import STALE
from .theft import THEFT
from .together import TOGETHER

EXPERIMENTS: tuple[Experiment, ...] = (
    SCALING,
    EASE,
    FLEXIBILITY,
    SECURITY,
    EXPIRY,
    CONSENT,
    CSRF,
    MOBILE,
    BLOCKED,
    SIZE,
    THEFT,
    REVOCATION,
    STALE,
    LIBRARIES_ROW,
    DOWNLOAD,
    ONCE,
    TOGETHER,
)
"""Row 1 is the first."""

NUMBERS = {experiment.name: number for number, experiment in enumerate(EXPERIMENTS, 1)}
