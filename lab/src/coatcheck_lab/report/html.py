"""The report as a page that needs nothing else: styles, pictures and data are in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from .charts import drawn


def page(data: Mapping[str, Any]) -> str:
    """The whole page of `report.data`'s data."""
    environment = Environment(
        loader=PackageLoader("coatcheck_lab", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    return template.render(data, drawn=drawn, shown=_shown, told=_told, raw=json.dumps(data).replace("<", "\\u003c"))


def _told(text: str) -> Markup:
    """A sentence of ours; what it has between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped before)


def _shown(value: object) -> str:
    """A measured value, in words."""
    if value is None:
        return "cannot"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
