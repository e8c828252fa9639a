"""Row 9: browsers that keep less than others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..contenders import STATELESS
from ..elsewhere import elsewhere
from ..tab import Tab
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site

USUAL = "with the usual settings"
NO_DATA = "with cookies blocked in Chromium's settings"
DELETED = "with cookies deleted at once by an extension"
FRAMED = "in a frame of another site, with third-party cookies allowed"
STRICT = "there, with them blocked"

BLOCK: dict[str, Any] = {"profile": {"default_content_setting_values": {"cookies": 2}}}
"""Chromium's "block all cookies", which is all that a site may store."""
FRAMES: Mapping[str, Mapping[str, Any]] = {
    FRAMED: {"profile": {"block_third_party_cookies": False, "cookie_controls_mode": 0}},
    STRICT: {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}},
}
"""Its "allow third-party cookies" and "block third-party cookies"."""


def measure(laboratory: Laboratory) -> Measured:
    """Whether who has logged in is known at the next request."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site:
            with laboratory.tab(site) as tab:
                tab.log_in()
                values: dict[str, Value] = {USUAL: tab.user() is not None}
                tab.page.context.clear_cookies()
                values[DELETED] = tab.user() is not None
            with laboratory.chromium.set_up(BLOCK) as context:
                tab = Tab(context.new_page(), site.url)
                tab.log_in()
                values[NO_DATA] = tab.user() is not None
        # A cookie that is meant for frames says so.
        with laboratory.site(name, same_site="none") as site:
            for what, preferences in FRAMES.items():
                values[what] = _framed(laboratory, site, preferences)
        return values

    return laboratory.each(one)


def _framed(laboratory: Laboratory, site: Site, preferences: Mapping[str, Any]) -> bool:
    with elsewhere() as other, laboratory.chromium.set_up(preferences) as context:
        other.page = f'<iframe src="{site.url}"></iframe>'
        page = context.new_page()
        page.goto(other.other_site)
        frame = page.frames[1]
        frame.wait_for_load_state()
        tab = Tab(frame)
        tab.log_in()
        return tab.user() is not None


def judge(measured: Measured) -> Verdict:
    """The claim is about browsers that block cookies."""
    works = {name: bool(values[NO_DATA]) for name, values in measured.items()}
    counted = {name: sum(bool(value) for value in values.values()) for name, values in measured.items()}
    told = "; ".join(
        f"{what}: {', '.join(name for name, values in measured.items() if values[what]) or 'none'}"
        for what in next(iter(measured.values()))
    )
    holds = any(works[name] for name in STATELESS if name in works) and not works["session"]
    return Verdict(
        holds,
        f"Known at the next request {told}. Chromium's setting takes local storage along with the cookies.",
        [name for name, count in counted.items() if count == max(counted.values())],
    )


BLOCKED = Experiment(
    name="blocked",
    part=Part.ADVANTAGE,
    claim="JWTs work where cookies are blocked.",
    done="In a real Chromium: as it comes, with cookies blocked in its settings, with cookies deleted as some "
    "extensions do, and in a frame on another site, with SameSite=None as cookies for frames have it. Log "
    "in, and ask who is logged in.",
    measure=measure,
    judge=judge,
    needs=("chromium",),
)
