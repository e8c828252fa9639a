"""Row 2: the lines of code that each verb takes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from importlib import import_module
from typing import TYPE_CHECKING

from ..contenders import DENYLIST, STATELESS, Contender
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory

VERBS = {
    "set up": "__init__",
    "log in": "log_in",
    "recognise": "login_of",
    "log out": "log_out",
    "expiry": "_expiry",
    "revocation": "revoke",
    "change of role": "change_role",
}
"""What an application needs, and the lab's method for it."""

ALL = "in all"
PLAIN = "in all, without revocation and change of role"


def measure(laboratory: Laboratory) -> Measured:
    """Lines of each verb, with the helpers that it calls; None for what the running application refuses to do."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site:
            can = {
                "revoke": site.operator("revoke", user="ada").status_code == 200,
                "change_role": site.operator("role", user="ada", role="reader").status_code == 200,
            }
        kind = class_of(laboratory.with_denylist[name])
        found = {verb: lines(kind, method) for verb, method in VERBS.items()}
        counted: dict[str, Value] = {
            verb: len(said) if can.get(VERBS[verb], True) else None for verb, said in found.items()
        }
        plain = [said for verb, said in found.items() if VERBS[verb] not in can]
        done = [said for verb, said in found.items() if counted[verb] is not None]
        return counted | {PLAIN: len(set().union(*plain)), ALL: len(set().union(*done))}

    return laboratory.each(one, laboratory.with_denylist)


def class_of(contender: Contender) -> type:
    """The class of its `Mechanism`."""
    module, _, name = contender.made_by.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def lines(kind: type, method: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The statements of a method and of what it calls of its own class, without comments and docstrings."""
    function = getattr(kind, method)
    source = textwrap.dedent(inspect.getsource(function))
    [definition] = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101 (for the type checkers)
    found = {f"{method}:{line}" for line in ast.unparse(ast.Module(_said(definition), [])).splitlines()}
    for node in ast.walk(definition):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if name.startswith("_") and name not in seen | {method} and inspect.isroutine(getattr(kind, name, None)):
            found |= lines(kind, name, seen | {method})
    return found


def _said(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    return definition.body[1:] if ast.get_docstring(definition) else definition.body


def judge(measured: Measured) -> Verdict:
    """Easier is what does every verb in fewer lines."""
    able = {name: values[ALL] for name, values in measured.items() if None not in values.values()}
    fewest = min(int(count or 0) for count in able.values()) if able else 0
    best = [name for name, count in able.items() if count == fewest]
    cannot = [
        f"{name} cannot: {', '.join(verb for verb, count in values.items() if count is None)}"
        for name, values in measured.items()
        if name not in able
    ]
    told = ", ".join(f"{name} {count}" for name, count in able.items()) or "none can"
    plain = ", ".join(f"{name} {values[PLAIN]}" for name, values in measured.items())
    return Verdict(
        any(name in best for name in (*STATELESS, DENYLIST.name)),
        f"Lines to set up, log in, recognise, log out and expire: {plain}; for all verbs: {told}. "
        f"{'; '.join(cannot) + '.' if cannot else ''}",
        best,
    )


def charts(measured: Measured) -> list[Chart]:
    """Lines in all."""
    return [
        Chart(
            "bars",
            "Code for what was possible",
            "lines",
            {name: [(0, float(values[ALL] or 0))] for name, values in measured.items()},
        )
    ]


EASE = Experiment(
    name="ease",
    part=Part.ADVANTAGE,
    claim="JWTs are easier to use.",
    done="Count the lines that each verb takes in the lab's own applications, helpers included, without comments, and "
    "ask the running applications what they can do at all.",
    measure=measure,
    judge=judge,
    charts=charts,
)
