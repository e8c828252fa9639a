"""Row 14: the installed JWT libraries, some of their published holes, and what they accept by default."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from coatcheck import Policy, SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.testing.clock import FakeClock

from ..forging import encoded, signed
from ..jwt_libraries import LIBRARIES, Library
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory

SECRET = b"a secret of thirty-two bytes, or more"
SHORT = b"secret"
CLAIMS: dict[str, Any] = {"sub": "ada"}

INSTALLED = "version"
LISTED = "published holes that the lab lists, in all releases"
OPEN = "of these open in this release, by its number"
GOOD = "accepts a good token"
WARNS = "warns of a secret of six letters"

NONE = "none"
YOUNG = "none yet, and few have looked"


def _now() -> int:
    return int(time.time())


HEAD = {"alg": "HS256", "typ": "JWT"}
ATTACKS: Mapping[str, Callable[[], tuple[str, bytes]]] = {
    "accepts a token without a signature": lambda: (
        f"{encoded({'alg': 'none'})}.{encoded(CLAIMS | _alive())}.",
        SECRET,
    ),
    "accepts a token that has expired": lambda: (signed(HEAD, CLAIMS | {"exp": _now() - 3600}, SECRET), SECRET),
    "accepts a token that never expires": lambda: (signed(HEAD, CLAIMS, SECRET), SECRET),
    "accepts a secret of six letters": lambda: (signed(HEAD, CLAIMS | _alive(), SHORT), SHORT),
    "accepts critical headers that it does not know": lambda: (
        signed(HEAD | {"crit": ["x"], "x": 1}, CLAIMS | _alive(), SECRET),
        SECRET,
    ),
}
"""A token, and the secret with which it is verified."""


def _alive() -> dict[str, int]:
    return {"exp": _now() + 3600}


def measure(laboratory: Laboratory) -> Measured:
    """Each installed library, and a session beside them."""
    found: dict[str, dict[str, Value]] = {}
    for name, library in LIBRARIES.items():
        laboratory.tell(name)
        with suppress(PackageNotFoundError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = _library(library)
    return found | {"session": _session()}


def _library(library: Library) -> dict[str, Value]:
    installed = version(library.distribution)
    numbers = tuple(int(number) for number in re.findall(r"\d+", installed)[:3])
    values: dict[str, Value] = {
        INSTALLED: installed,
        LISTED: ", ".join(advisory.number for advisory in library.advisories),
        OPEN: ", ".join(one.number for one in library.advisories if one.fixed_in is None or numbers < one.fixed_in)
        or NONE,
        GOOD: _accepts(library, signed(HEAD, CLAIMS | _alive(), SECRET), SECRET),
    }
    values |= {attack: _accepts(library, *forged()) for attack, forged in ATTACKS.items()}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _accepts(library, signed(HEAD, CLAIMS | _alive(), SHORT), SHORT)
    return values | {WARNS: bool(heard)}


def _accepts(library: Library, token: str, secret: bytes) -> bool:
    try:
        library.verify(token, secret)
    except Exception:  # noqa: BLE001 (a refusal is whatever a library raises)
        return False
    return True


def _session() -> dict[str, Value]:
    """The nearest thing to each attack on a session of ours, in memory."""
    clock = FakeClock()
    with SessionManager("memory://", secret=SECRET, clock=clock) as manager:
        session = manager.load(None)
        session.login("ada")
        token = manager.commit(session).token or ""

        def accepts(shown: str) -> bool:
            return manager.load(shown).user_id is not None

        values: dict[str, Value] = {INSTALLED: version("coatcheck"), LISTED: YOUNG, OPEN: NONE, GOOD: accepts(token)}
        unsigned, expired, eternal, short, critical = ATTACKS
        values[unsigned] = accepts(token.rpartition(".")[0]) or accepts(token.rpartition(".")[0] + ".")
        values[critical] = accepts(f"{token}.x")
        clock.advance(Policy().absolute_timeout.total_seconds() + 1)
        values[expired] = values[eternal] = accepts(token)
    try:
        SessionManager("memory://", secret=SHORT).close()
        values[short] = True
    except ConfigurationError:
        values[short] = False
    return values | {WARNS: not values[short]}


def judge(measured: Measured) -> Verdict:
    """What is accepted by default is what an application has to know of."""
    lax = {name: [attack for attack in ATTACKS if values[attack]] for name, values in measured.items()}
    libraries = [name for name in measured if name != "session"]
    opened = [f"{name} {measured[name][OPEN]}" for name in libraries if measured[name][OPEN] != NONE]
    warn = [name for name in libraries if measured[name][WARNS]]
    told = "; ".join(
        f"{name} {', '.join(attack.removeprefix('accepts ') for attack in lax[name])}"
        for name in libraries
        if lax[name]
    )
    return Verdict(
        any(lax[name] for name in libraries) and not lax["session"],
        f"Open in these releases, of the published holes that the lab lists: {'; '.join(opened) or NONE}. By the one "
        f"call that verifies they accept: {told or 'nothing that they should not'}. Of a short "
        f"secret {', '.join(warn) or 'none'} warned. What is not asked for is not checked.",
        [name for name, attacks in lax.items() if not attacks],
    )


LIBRARIES_ROW = Experiment(
    name="libraries",
    part=Part.DRAWBACK,
    claim="JWT libraries have had holes, and their defaults are for experts.",
    done="The JWT libraries that are installed, each by the one call that verifies a token, with nothing asked for "
    "beside: tokens without a signature, expired, without an expiry, with a short secret, with critical headers that "
    "nobody knows. The same on a session.",
    measure=measure,
    judge=judge,
)
