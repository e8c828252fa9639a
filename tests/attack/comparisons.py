"""Every comparison in the modules that handle secrets, found in their syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "coatcheck"
_OPERATORS = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
_SEARCHES = {"startswith", "endswith", "find", "index", "count", "removeprefix", "removesuffix"}
"""Methods of text and bytes that stop at the first difference."""


def _public(side: ast.expr) -> bool:
    """A constant, a length or a type: what the program's text says already."""
    if isinstance(side, ast.Constant):
        return True
    if isinstance(side, ast.Tuple | ast.List | ast.Set):
        return all(map(_public, side.elts))
    if isinstance(side, ast.UnaryOp):
        return _public(side.operand)
    return isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id in {"len", "type"}


def comparisons(text: str) -> Iterator[str]:
    """The source of each comparison of two values neither of which is a constant, as `ast.unparse` writes it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(one, _OPERATORS) for one in node.ops) and not any(map(_public, sides)):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SEARCHES:
            if not (node.args and _public(node.args[0])):
                yield ast.unparse(node)
        elif isinstance(node, ast.Match):
            yield f"match {ast.unparse(node.subject)}"


def constant_time(text: str) -> list[str]:
    """The calls of `compare_digest`."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "compare_digest"
    ]
