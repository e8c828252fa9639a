"""The reference of the command line, as Markdown: what argparse itself says of each command."""

from __future__ import annotations

import os
import re
from contextlib import redirect_stdout, suppress
from io import StringIO

from coatcheck.cli import main

WIDTH = "96"


def said(*arguments: str) -> str:
    """What `coatcheck ... --help` prints, at a width of its own and without colours."""
    os.environ |= {"COLUMNS": WIDTH, "NO_COLOR": "1"}
    with redirect_stdout(StringIO()) as printed, suppress(SystemExit):
        main([*arguments, "--help"])
    return printed.getvalue()


def names() -> list[str]:
    """Every command, in the order of `coatcheck --help`."""
    return re.findall(r"^    ([a-z][a-z-]*)\b", said(), re.MULTILINE)


def page() -> str:
    """A section for each command."""
    parts = [f"## `coatcheck {name}`\n\n```text\n{said(name)}```\n" for name in names()]
    return f"```text\n{said()}```\n\n" + "\n".join(parts)
