"""Pages to mount: a user's own devices, and an operator's console. They know no framework: `coatcheck.integrations`
has for each what mounts them."""

from __future__ import annotations

from .ask import MAX_BODY as MAX_BODY
from .ask import Ask as Ask
from .ask import Page as Page
from .ask import answer as answer
from .ask import answer_async as answer_async
from .ask import base_of as base_of
from .ask import fields as fields
from .ask import too_large as too_large
from .console import Console as Console
from .devices import Devices as Devices

__all__ = ["MAX_BODY", "Ask", "Console", "Devices", "Page", "answer", "answer_async", "base_of", "fields", "too_large"]
