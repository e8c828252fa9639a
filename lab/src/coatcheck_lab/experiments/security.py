"""Row 4: forged, tampered and borrowed logins, the attacks on JWT's algorithms among them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jwt

from ..contenders import STATELESS
from ..forging import decoded, encoded, signed
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Visitor

TRIED = "forgeries tried"
FORGED = "forgeries accepted"
SPELLINGS = "other spellings of the same token accepted"
READABLE = "what it holds can be read without the key"


def measure(laboratory: Laboratory) -> Measured:
    """Every forgery against each contender, also those that are made for another format: who attacks does not ask."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site, laboratory.site(name) as foreign:
            ada, eve, other = site.client(), site.client(), foreign.client()
            for visitor, user in ((ada, "ada"), (eve, "eve"), (other, "ada")):
                visitor.log_in(user)
            forged = {*_forged(ada.token, eve.token), other.token} - {ada.token, eve.token}
            forged |= {*_changed(ada.token)}
            accepted = [token for token in forged if _user(ada, token)]
            same = [token for token in accepted if _bytes(token) == _bytes(ada.token)]
            return {
                TRIED: len(forged),
                FORGED: len(accepted) - len(same),
                SPELLINGS: len(same),
                READABLE: b'"ada"' in decoded(ada.token),
            }

    return laboratory.each(one)


def _bytes(token: str) -> bytes | None:
    """What it says, however it is spelt; None if it is no base64."""
    try:
        return decoded(token)
    except ValueError:
        return None


def _user(visitor: Visitor, token: str) -> Any:
    with visitor.impostor(token) as impostor:
        return impostor.get("/me").json()["user"]


def _changed(token: str) -> list[str]:
    """One character is another, at every place where there is one."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    places = [place for place, letter in enumerate(token) if letter in letters]
    nearby = {place: letters[letters.index(token[place]) ^ 1] for place in places}
    return [token[:place] + other + token[place + 1 :] for place, other in nearby.items()]


def _forged(token: str, other: str) -> Iterator[str]:
    """Logins that nobody was given."""
    parts, others = token.split("."), other.split(".")
    for place in range(len(parts)):
        yield ".".join([*parts[:place], others[place], *parts[place + 1 :]])
        yield ".".join([*parts[:place], "", *parts[place + 1 :]])
    yield from (
        token[:-1],
        token[1:],
        token * 2,
        token + ".",
        ".".join(parts[:-1]),
        token[::-1],
        "A" * len(token),
        "{}",
        "null",
    )
    yield from (secrets.token_urlsafe(len(token) * 3 // 4) for _ in range(20))
    claims: dict[str, Any] = {"sub": "ada", "fields": {"role": "owner"}, "exp": 4_102_444_800, "iat": 0}
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        for signature in ("", "x", parts[-1]):
            yield ".".join([encoded({"alg": algorithm, "typ": "JWT"}), encoded(claims), signature])
    for guessed in ("secret", "changeme", "password", "your-256-bit-secret", "a" * 32, token, parts[0]):
        for algorithm in ("HS256", "HS384", "HS512"):
            yield jwt.encode(claims, guessed.ljust(64, "\0")[:64], algorithm=algorithm)
    for header in (
        {"kid": "/dev/null"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"crit": ["exp"]},
        {"alg": "RS256"},
        {"alg": "ES256"},
    ):
        yield signed({"alg": "HS256", "typ": "JWT"} | header, claims, b"\0" * 64)
    if len(parts) == 3 and parts[0].startswith("ey"):
        mine = json.loads(decoded(token).splitlines()[1] or b"{}")
        yield ".".join([parts[0], encoded(mine | claims), parts[2]])


def judge(measured: Measured) -> Verdict:
    """More secure is what fewer forgeries get through."""
    through = {name: int(values[FORGED] or 0) for name, values in measured.items()}
    least = min(through.values())
    holds = any(through[name] < through["session"] for name in STATELESS if name in through)
    told = ", ".join(f"{name} {count} of {measured[name][TRIED]}" for name, count in through.items())
    readable = [name for name, values in measured.items() if values[READABLE]]
    spelt = [f"{name} {values[SPELLINGS]}" for name, values in measured.items() if values[SPELLINGS]]
    told = f"Forgeries accepted: {told}"
    if spelt:
        told += f". Other spellings of the same token: {', '.join(spelt)}"
    if readable:
        told += f". Who finds one can read what is in it: {', '.join(readable)}"
    return Verdict(
        holds,
        f"{told}. All are signed; what rows `theft` and `revocation` show is not in this one.",
        [name for name, count in through.items() if count == least and name not in readable],
    )


SECURITY = Experiment(
    name="security",
    part=Part.ADVANTAGE,
    claim="JWTs are more secure, as they are signed.",
    done="Take a login's token apart: change each character, swap and cut parts, sign with guessed and foreign keys, "
    "say that it needs no signature (`alg: none`, in every spelling), name other algorithms and keys. Ask who the "
    "application sees.",
    measure=measure,
    judge=judge,
)
