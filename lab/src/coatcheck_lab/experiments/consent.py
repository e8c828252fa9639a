"""Row 6: what each leaves in a browser, before and after a login."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..contenders import STATELESS
from ..forging import decoded
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..tab import Tab

BEFORE, AFTER, GONE = "stored before a login", "stored after it", "stored after logging out"
DAYS = "days that it stays"
NAMES = "says who it is, to whoever reads it"

NOTHING = "nothing"


def measure(laboratory: Laboratory) -> Measured:
    """Cookies and local storage of a browser that has nothing from before."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site, laboratory.tab(site) as tab:
            values: dict[str, Value] = {BEFORE: _words(_stored(tab))}
            tab.log_in()
            stored = _stored(tab)
            values |= {AFTER: _words(stored), DAYS: _days(tab), NAMES: any(map(_names_ada, stored.values()))}
            tab.log_out()
            return values | {GONE: _words(_stored(tab))}

    return laboratory.each(one)


def _stored(tab: Tab) -> dict[str, str]:
    """Everything that the browser keeps for the site, by kind and name."""
    cookies = {f"cookie {one.get('name')}": str(one.get("value")) for one in tab.page.context.cookies()}
    local: dict[str, Any] = tab.page.evaluate("({ ...localStorage, ...sessionStorage })")
    return cookies | {f"local storage {name}": str(value) for name, value in local.items()}


def _words(stored: dict[str, str]) -> str:
    return ", ".join(f"{name} ({len(value)} bytes)" for name, value in stored.items()) or NOTHING


def _days(tab: Tab) -> float | str:
    expiries = [float(one.get("expires", -1)) for one in tab.page.context.cookies()]
    if not expiries:
        return "until it is deleted"
    return "until the browser is closed" if max(expiries) < 0 else round((max(expiries) - time.time()) / 86_400, 2)


def _names_ada(value: str) -> bool:
    """Whether it holds the user's name, to whoever reads it as base64."""
    try:
        return b'"ada"' in decoded(value)
    except ValueError:
        return False


def judge(measured: Measured) -> Verdict:
    """Rules on consent ask what is stored in the browser, and what for; not what it is called."""
    leaves = {name: values[AFTER] != NOTHING for name, values in measured.items()}
    early = [name for name, values in measured.items() if values[BEFORE] != NOTHING]
    names = [name for name, values in measured.items() if values[NAMES]]
    holds = leaves["session"] and any(not leaves[name] for name in STATELESS if name in leaves)
    told = f"{sum(leaves.values())} of {len(leaves)} store something in the browser at login"
    told += f"; {', '.join(early)} before a login, too" if early else "; before a login none does"
    if names:
        told += f". Whoever reads it learns the user's name from {', '.join(names)}"
    return Verdict(
        holds,
        f"{told}. What is strictly necessary for a service that the user asked for needs no consent under the ePrivacy "
        "directive (article 5(3)), a cookie or not.",
        [name for name in measured if name not in early and name not in names],
    )


CONSENT = Experiment(
    name="consent",
    part=Part.ADVANTAGE,
    claim="JWTs need no cookie consent; sessions do.",
    done="In a real Chromium that has nothing from before: visit, log in, log out; list what the browser "
    "stores each time.",
    measure=measure,
    judge=judge,
    needs=("chromium",),
)
