"""The settings that every page has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict


class LookSettings(TypedDict, total=False):
    """As `Look` takes them."""

    login_url: str | None
    stylesheet: str | None
    translate: Callable[[str], str]
    language: str | Callable[[], str]
    home_url: str | None
