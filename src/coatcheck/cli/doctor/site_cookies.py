"""The cookies that a site sets: the session's flags, what a proxy hides, JWTs among the others, and caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coatcheck.health import Check

from . import said
from .said import Said
from .settings import Most
from .site import Seen, Visit

_MOST = 50
"""Cookies of one answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the session's cookie before it is seen."""

    names: frozenset[str]
    insecure: frozenset[str]
    """Among them those for plain http."""
    examined: bool
    """Whether `--app` has said what it will be."""
    most: Most
    """How long it may live."""

    def is_ours(self, one: Said) -> bool:
        """By its name, or by the form of what it holds."""
        return one.name in self.names or one.is_ours

    def is_insecure(self, one: Said) -> bool:
        """Whether it is the one for plain http."""
        return one.name in self.insecure or (one.is_ours and one.name.endswith("-insecure"))


def examine(visit: Visit, known: Known) -> Iterator[Check]:
    """All that the visit's answers say of cookies, each thing once."""
    cookies = [(seen, one) for seen in visit.seen for one in _set_by(seen)]
    ours = [(seen, one) for seen, one in cookies if known.is_ours(one)]
    jwts = [(seen, one) for seen, one in cookies if one.jose and not known.is_ours(one)]
    yield _found(visit, ours, examined=known.examined)
    told: set[Check] = set()
    for seen, one in ours + jwts:
        checks = [*said.judged(one, visit.host, https=seen.https, local=visit.local)]
        if known.is_ours(one):
            checks += [*known.most.judged(one), *_proxy(visit, seen, one, known)]
        for check in checks:
            if check not in told:
                told.add(check)
                yield check
    yield from _jwts([one for _, one in jwts])
    sessions = {one.name for _, one in ours + jwts}
    yield from _caches(visit.seen, sessions)


def _set_by(seen: Seen) -> Iterator[Said]:
    for header in seen.answer.all("set-cookie")[:_MOST]:
        one = said.read(header, seen.answer.after)
        if not one.dropped:
            yield one


def _found(visit: Visit, ours: list[tuple[Seen, Said]], *, examined: bool) -> Check:
    if ours:
        seen, one = ours[0]
        return Check("ok", "cookie", f"{one.label}, from {seen.path}")
    text = f"no session's cookie came from {', '.join(dict.fromkeys(seen.path for seen in visit.seen))[:200]}"
    if examined:
        return Check("ok", "cookie", f"{text}; what it will be was looked at in --app")
    remedy = "--path of a page that stores something, as a form with a CSRF token does; or --app"
    return Check("warn", "cookie", f"{text}: nobody gets one before there is something to store", remedy)


def _proxy(visit: Visit, seen: Seen, one: Said, known: Known) -> Iterator[Check]:
    if seen.https:
        if known.is_insecure(one) or "secure" not in one.attributes:
            text = f"{one.label}: over https, and without Sec-Fetch-Site the application takes it for plain http"
            remedy = (
                "Let the proxy pass Host and X-Forwarded-Proto on, and the server trust it (uvicorn: "
                "--proxy-headers --forwarded-allow-ips)"
            )
            yield Check("fail", "proxy", text, remedy)
        else:
            yield Check("ok", "proxy", "the application knows of https")
    elif "secure" in one.attributes and not visit.local:
        text = f"{one.label}: Secure, over plain http, where browsers do not keep it"
        remedy = "Right for the hop behind a proxy that has https; let no browser come here"
        yield Check("warn", "proxy", text, remedy)


def _jwts(found: list[Said]) -> Iterator[Check]:
    for one in {one.name: one for one in found}.values():
        algorithm = said.shown(str(one.jose["alg"]), 20)
        if algorithm.lower() == "none":
            text = f"{one.label}: a JWT without a signature: whoever writes one is signed in"
            yield Check("fail", "jwt", text, "Refuse it, and sign in by a session of the server's")
        else:
            text = f"{one.label}: a JWT ({algorithm}), which nobody can end before it expires"
            remedy = "Keep the session on the server; `coatcheck.legacy` takes JWT logins over, once each"
            yield Check("warn", "jwt", text, remedy)
    if not found:
        yield Check("ok", "jwt", "no cookie is one")


def _caches(answers: list[Seen], sessions: set[str]) -> Iterator[Check]:
    kept: dict[Check, None] = {}
    setting = [(seen, [*_set_by(seen)]) for seen in answers if seen.answer.all("set-cookie")]
    for seen, cookies in setting:
        level = "fail" if any(one.name in sessions for one in cookies) else "warn"
        kept |= dict.fromkeys(_cached(seen, "fail" if level == "fail" else "warn"))
    yield from kept
    for name, text in (("no-store", "no cache keeps what sets a cookie"), ("vary", "what sets a cookie varies by it")):
        if setting and not any(check.name == name for check in kept):
            yield Check("ok", name, text)


def _cached(seen: Seen, level: str) -> Iterator[Check]:
    at: Check = Check("fail" if level == "fail" else "warn", "no-store", "")
    age = seen.answer.first("age").strip()
    if age.strip("0") and level == "fail":
        text = f"{seen.path}: it sets a session's cookie, and a cache has kept it"
        yield at._replace(text=text, remedy="Tell the cache not to keep what sets a cookie, and revoke those sessions")
    elif "no-store" not in _words(seen, "cache-control"):
        text = f"{seen.path}: it sets a cookie without Cache-Control: no-store"
        yield at._replace(text=text, remedy="Cache-Control: no-store; see what takes it out, if that is Coatcheck's")
    if not {"cookie", "*"} & _words(seen, "vary"):
        text = f"{seen.path}: it sets a cookie without Vary: Cookie"
        yield Check("warn", "vary", text, "Vary: Cookie; see what takes it out, if that is Coatcheck's")


def _words(seen: Seen, header: str) -> set[str]:
    return {word.strip().lower() for value in seen.answer.all(header) for word in value.split(",")}
