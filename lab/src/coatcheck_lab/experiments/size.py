"""Row 10: the bytes that every request carries, and where browsers and servers refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contenders import STATELESS
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Visitor

ROLES = (0, 25, 50, 100, 150, 200)
COOKIE = 4096
"""Bytes of a cookie's name and value that browsers keep (RFC 6265 6.1 asks for that many; Chromium keeps no more)."""

BROKEN = "roles at which Chromium is logged out"
REFUSED = "roles at which nginx is in the way"

NEVER = "never"


def bytes_with(roles: int) -> str:
    """What that figure is called."""
    return f"bytes with {roles} roles"


def measure(laboratory: Laboratory) -> Measured:
    """The header that carries the login, for more and more roles; and whether Chromium and nginx carry it too."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site, laboratory.proxy(site) as url:
            values: dict[str, Value] = {BROKEN: NEVER, REFUSED: NEVER}
            for roles in ROLES:
                visitor = site.client()
                visitor.log_in(roles=roles)
                values[bytes_with(roles)] = _carried(visitor)
                for figure, where in ((BROKEN, site.url), (REFUSED, url)):
                    with laboratory.tab(site, where) as tab:
                        tab.log_in(roles=roles)
                        if values[figure] == NEVER and tab.user() is None:
                            values[figure] = roles
        return values

    return laboratory.each(one)


def _carried(visitor: Visitor) -> int:
    """Bytes of the lines that would not be there without a login."""
    headers = visitor.build_request("GET", "/me").headers.raw
    return sum(len(name) + len(value) + 4 for name, value in headers if name.lower() in {b"cookie", b"authorization"})


def judge(measured: Measured) -> Verdict:
    """Bigger is what grows with what is in it."""
    last = {name: int(values[bytes_with(ROLES[-1])] or 0) for name, values in measured.items()}
    least = min(last.values())
    holds = any(last[name] > 2 * last["session"] for name in STATELESS if name in last)
    told = ", ".join(f"{name} {size:,}" for name, size in last.items())
    broken = [f"{name} at {values[BROKEN]} roles" for name, values in measured.items() if values[BROKEN] != NEVER]
    refused = [f"{name} at {values[REFUSED]}" for name, values in measured.items() if values[REFUSED] != NEVER]
    if broken:
        told += f". Chromium keeps no cookie of more than 4,096 bytes, and is logged out: {', '.join(broken)}"
    if refused:
        told += f". Behind nginx the login fails: {', '.join(refused)} roles"
    return Verdict(
        holds,
        f"Bytes of login in every request with {ROLES[-1]} roles: {told}.",
        [name for name, size in last.items() if size <= 2 * least],
    )


def charts(measured: Measured) -> list[Chart]:
    """Bytes by roles."""
    series = {
        name: [(float(roles), float(values[bytes_with(roles)] or 0)) for roles in ROLES]
        for name, values in measured.items()
    }
    return [
        Chart("curve", "What every request carries", "bytes", series, "roles of the user", {"a cookie's limit": COOKIE})
    ]


SIZE = Experiment(
    name="size",
    part=Part.DRAWBACK,
    claim="A JWT grows with what is in it, and every request carries it.",
    done="Log in with more and more roles; count the bytes of the header that carries the login, and do the same in a "
    "real Chromium, through an nginx as it comes.",
    measure=measure,
    judge=judge,
    charts=charts,
    needs=("chromium", "nginx"),
)
