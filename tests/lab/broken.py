"""Contenders with a fault: what an experiment has to notice."""

from __future__ import annotations

from dataclasses import replace

from coatcheck_lab.contenders.mechanism import Settings
from coatcheck_lab.contenders.session import SessionCookie


class Forgetful(SessionCookie):
    """Sessions in the memory of each process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(replace(settings, store="memory://"))
