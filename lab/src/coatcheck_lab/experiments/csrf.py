"""Row 7: other origins post in the user's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contenders import STATELESS, UNCHECKED
from ..contenders.application import transfers
from ..elsewhere import Elsewhere, elsewhere
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site
    from ..tab import Tab

FORM = """<form id="form" method="post" action="{url}/transfer"><input name="recipient" value="{who}"></form>
<script>document.querySelector("#form").submit()</script>"""

FETCH = """<script>
fetch("{url}/transfer", {{ method: "POST", credentials: "include", mode: "no-cors",
  body: new URLSearchParams({{ recipient: "{who}" }}) }}).finally(() => document.title = "done")
</script>"""

ATTACKS = {
    "a form on another site": (FORM, "other_site"),
    "fetch from another site": (FETCH, "other_site"),
    "a form on a sibling origin": (FORM, "sibling"),
    "fetch from a sibling origin": (FETCH, "sibling"),
}
OWN = "the user's own transfer"


def measure(laboratory: Laboratory) -> Measured:
    """Whether each attack moved money, by the application's own database; and whether the user still can."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site, laboratory.tab(site) as tab, elsewhere() as attacker:
            tab.log_in()
            values: dict[str, Value] = {attack: _moved(attack, tab, site, attacker) for attack in ATTACKS}
            tab.page.goto(site.url)
            tab.ask("/transfer", {"recipient": OWN})
            return values | {OWN: ("ada", OWN) in transfers(site.settings.users)}

    return laboratory.each(one, [*laboratory.contenders, UNCHECKED.name])


def _moved(attack: str, tab: Tab, site: Site, attacker: Elsewhere) -> bool:
    page, where = ATTACKS[attack]
    attacker.page = page.format(url=site.url, who=attack)
    tab.page.goto(getattr(attacker, where))
    if page is FORM:
        tab.page.wait_for_url(f"{site.url}/transfer")
    else:
        tab.page.wait_for_function("document.title === 'done'")
    return ("ada", attack) in transfers(site.settings.users)


def judge(measured: Measured) -> Verdict:
    """Immune is a login with which no attack moved money, and the user could."""
    got_through = {name: [attack for attack in ATTACKS if values[attack]] for name, values in measured.items()}
    safe = [name for name, attacks in got_through.items() if not attacks and measured[name][OWN]]
    holds = all(name in safe for name in STATELESS if name in measured)
    told = "; ".join(f"{name}: {', '.join(attacks)}" for name, attacks in got_through.items() if attacks)
    local = (
        " What a script has to send by itself is sent by nobody else; the price is in row `theft`."
        if "jwt-local" in safe
        else ""
    )
    unchecked = bool(got_through.get(UNCHECKED.name)) and "session" in safe
    check = (
        " A session's cookie is sent along, too: what stopped it is the check of origin that comes with it, and a JWT "
        "in a cookie can be given one."
        if unchecked
        else ""
    )
    return Verdict(
        holds,
        (f"Money was moved with {told}. Being a JWT protects from nothing." if told else "No attack moved money.")
        + check
        + local,
        safe,
    )


CSRF = Experiment(
    name="csrf",
    part=Part.ADVANTAGE,
    claim="JWTs are immune to cross-site request forgery.",
    done="Log in, in a real Chromium; then visit an attacker's page, which posts to the application by a form and by "
    "fetch: on another site, and on a sibling origin, as a subdomain is one. SameSite=Lax is on.",
    measure=measure,
    judge=judge,
    needs=("chromium",),
)
