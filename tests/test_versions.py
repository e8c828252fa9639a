"""The releases that are tried are those that the documentation names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TRIED = ("redis", "starlette", "fastapi", "flask", "quart", "django", "litestar", "aiohttp", "pyramid")
ROW = re.compile(r"^\| (?P<name>[\w.-]+) \| (?P<oldest>[\d.]+) \| (?P<newest>[\d.]+) \|", re.MULTILINE)


def _locked(lock: str, name: str) -> str:
    """The version for Python 3.11, which is what a lock's first line of a package is for."""
    found = re.search(rf"^{name}==([\w.]+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    assert found
    return found[1]


def _bounds() -> dict[str, str]:
    """The oldest release that pyproject.toml allows, of each framework and driver."""
    asked = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra][0] for extra in TRIED)]
    pairs = (re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", one) for one in asked)
    return {pair[1].lower(): pair[2] for pair in pairs if pair}


def _plain(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version)


def test_the_documentation_names_the_oldest_and_newest_release_that_are_tried() -> None:
    """docs/versions.md says what `make oldest` and `make test` install; the oldest is the bound that pip is told."""
    bounds = _bounds()
    assert len(bounds) == len(TRIED) + 1
    said = {
        row["name"].lower(): (row["oldest"], row["newest"])
        for row in ROW.finditer((ROOT / "docs/versions.md").read_text())
    }
    assert said == {name: (_locked("oldest.txt", name), _locked("dev.txt", name)) for name in bounds}
    for name, bound in bounds.items():
        assert _plain(said[name][0]) == _plain(bound)
