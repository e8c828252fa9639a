"""What an editor shows of a public name is enough to use it: every attribute, and every error that it raises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "coatcheck"
WEB = "asgi wsgi gate wsgi_gate starlette fastapi litestar flask quart django aiohttp pyramid"
PUBLIC = (
    *("", "errors", "events", "policy", "legacy", "testing"),
    *("store", "record", "change", "gate", "feed", "health", "trail"),  # for stores of one's own
    *("stores.memory", "stores.sqlite", "stores.redis", "stores.postgresql"),
    *(f"integrations.{name}" for name in WEB.split()),
)
"""The modules that an application imports, or whoever writes a store."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*filter(None, module.split(".")))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exported(path: Path) -> Iterator[str]:
    """The names of `__all__`; without it those that are defined there, or imported `as` themselves."""
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            yield from ast.literal_eval(node.value)
            return
    for node in _tree(path).body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.asname == alias.name)


def _found(path: Path, name: str) -> tuple[Path, ast.ClassDef] | None:
    """The class of that name and where it is, also behind a re-export; None if the name is no class."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and node.level and any(alias.name == name for alias in node.names):
            folder = path.parents[node.level - 1]
            home = folder.joinpath(*(node.module or "").split("."))
            return _found(home / "__init__.py" if home.is_dir() else home.with_suffix(".py"), name)
    return None


def _bases(path: Path, node: ast.ClassDef) -> list[tuple[Path, ast.ClassDef]]:
    """Those of ours that a class is made of, one step up."""
    return [hit for base in node.bases if (hit := _found(path, ast.unparse(base).partition("[")[0]))]


def _classes() -> dict[str, tuple[Path, ast.ClassDef]]:
    """All public classes, and those of ours that they are made of."""
    named = [(_file(module), name) for module in PUBLIC for name in _exported(_file(module))]
    waiting = [hit for path, name in named if (hit := _found(path, name))]
    found: dict[str, tuple[Path, ast.ClassDef]] = {}
    while waiting:
        path, node = waiting.pop()
        if (label := f"{path.relative_to(SOURCE)}: {node.name}") not in found:
            found[label] = path, node
            waiting += _bases(path, node)
    return found


def _attributes(node: ast.ClassDef) -> dict[str, bool]:
    """The public attributes of a class, and whether a docstring below them or the class's own names them."""
    said, made = ast.get_docstring(node) or "", [item for item in node.body if isinstance(item, Function)]
    found: dict[str, bool] = {}
    for body in (node.body, *(item.body for item in made if item.name == "__init__")):
        for item, after in zip(body, [*body[1:], None], strict=True):
            if not isinstance(item, ast.Assign | ast.AnnAssign):
                continue
            target = item.targets[0] if isinstance(item, ast.Assign) else item.target
            kind = ast.Name if body is node.body else ast.Attribute  # a name in a constructor is a local variable
            name = ast.unparse(target).rpartition(".")[2] if isinstance(target, kind) else "_"
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not name.startswith("_"):
                found[name] = found.get(name, False) or told or f"`{name}`" in said or f"`{name}=" in said
    return found


def _told(path: Path, node: ast.ClassDef) -> set[str]:
    """The attributes that a class or one that it is made of describes."""
    own = {name for name, told in _attributes(node).items() if told}
    return own.union(*(_told(*base) for base in _bases(path, node)))


CLASSES = _classes()


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_constant_says_what_it_is(module: str) -> None:
    """Names for types and numbers too, in the modules that others import."""
    body = _tree(_file(module)).body
    mute = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not (
                re.match("_|TYPE_CHECKING", name)
                or "._" in name
                or told
                or re.search("TypeVar|ParamSpec", ast.unparse(node))
            ):
                mute.append(name)
    assert mute == []


@pytest.mark.parametrize("label", sorted(CLASSES))
def test_every_public_attribute_says_what_it_is(label: str) -> None:
    """In a docstring of its own, or by its name in its class's: what it is, its unit, and what None means."""
    path, node = CLASSES[label]
    assert sorted({*_attributes(node)} - _told(path, node)) == []


def _raised(function: Function) -> set[str]:
    """What a function raises by itself; what those that it calls raise is not seen here."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            found |= {name} if name[0].isupper() else set()
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return found


def _functions(node: ast.Module | ast.ClassDef, around: str = "") -> Iterator[tuple[Function, str]]:
    """Public functions and methods, and the docstring of the class around them."""
    for item in node.body:
        if isinstance(item, ast.ClassDef) and not item.name.startswith("_"):
            yield from _functions(item, ast.get_docstring(item) or "")
        elif isinstance(item, Function) and (not item.name.startswith("_") or item.name in ("__init__", "__call__")):
            yield item, around


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_function_names_the_errors_that_it_raises(path: Path) -> None:
    """In its docstring; those of a constructor or a call in the class's. Inside stores the contract says it for all."""
    silent = [
        f"{function.name}: {error}"
        for function, around in _functions(_tree(SOURCE / path))
        for error in sorted(_raised(function))
        if (said := f"{ast.get_docstring(function) or ''} {around if function.name.startswith('__') else ''}".strip())
        or path.parts[0] != "stores"
        if error not in said
    ]
    assert silent == []
