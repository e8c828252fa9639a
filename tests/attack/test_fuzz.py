"""A bounded share of the attack on every parser, the same inputs in each run, and proof that it finds what it seeks.

The long form, with new inputs each time: `python -m tests.attack.fuzz --seconds 600`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import codec, csrf, passage, strict_jwt, ticket_jwt
from coatcheck.cookies import Cookie
from coatcheck.csrf import OriginCheck, TokenScanner
from coatcheck.integrations import gate
from coatcheck.passage import Passage
from coatcheck.stores.memory import MemoryStore
from tests.attack.fuzz import TARGETS, attack
from tests.attack.target import Target

EXAMPLES = 300
NAMED = {target.name: target for target in TARGETS}
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "coatcheck")


@pytest.mark.parametrize("target", TARGETS, ids=NAMED)
def test_hostile_input_breaks_no_promise(target: Target) -> None:
    """Nothing is raised but what is documented, nothing verified that we did not sign, work and memory bounded."""
    target.outcomes.clear()
    attack(target, EXAMPLES)
    # An attack that never gets past the first check, or is never refused, would test nothing.
    assert len(target.outcomes) >= 2, target.outcomes


# -- with a guard taken away the attack finds it ---------------------------------------------------------


def any_tag(patch: Patch) -> None:
    """The token's tag is not compared."""
    patch.setattr(hmac, "compare_digest", lambda one, other: True)


def any_claims(patch: Patch) -> None:
    """Of a claim that is named twice the first counts, and the library that verifies reads the last."""

    def first_wins(text: str) -> Any:
        return json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    patch.setattr(strict_jwt, "_decode", first_wins)


def unsigned(patch: Patch) -> None:
    """The ticket's signature is not checked."""
    patch.setattr(ticket_jwt, "_jws", lambda: type("Any", (), {"decode": lambda *_, **__: b"", "encode": None}))


def taken_twice(patch: Patch) -> None:
    """The store keeps no mark of a ticket that was used."""
    patch.setattr(MemoryStore, "redeem", lambda self, handle, jti, *_: MemoryStore.taken(self, handle, jti, 0.0))


def any_handle(patch: Patch) -> None:
    """Whatever a page is sent goes to the store."""
    patch.setattr("coatcheck.directory.looks_like_handle", lambda text: True)


def first_cookie(patch: Patch) -> None:
    """Of several cookies of our name the first counts."""
    read = Cookie.read
    patch.setattr(Cookie, "read", lambda self, header, secure=True: read(self, header.partition(b";")[0], secure))


def chunk_by_chunk(patch: Patch) -> None:
    """What is cut by a chunk's border is not looked for again."""

    def until(self: TokenScanner, mark: bytes) -> Any:
        while (at := self._buffer.find(mark, self._looked)) < 0:
            self._looked = len(self._buffer)
            yield
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        self._looked = 0
        return taken

    patch.setattr(TokenScanner, "_until", until)


def any_part(patch: Patch) -> None:
    """A file's name is as good as a field's."""
    patch.setattr(csrf, "_part_name", lambda head: b"_csrf" if b'"_csrf"' in head else None)


def address_kept(patch: Patch) -> None:
    """The ticket stays in the address."""

    def found(query: str, parameter: str) -> Any:
        read = passage.in_query(query, parameter)
        return read and (read[0], query)

    patch.setattr(gate, "in_query", found)


def any_form(patch: Patch) -> None:
    """A posted form of any length is held."""
    for module in (gate, passage):
        patch.setattr(module, "MAX_FORM", 10**9)


def any_secret(patch: Patch) -> None:
    """The hash in the row is not compared."""
    patch.setattr(hmac, "compare_digest", lambda one, other: True)


def any_tag_of_a_value(patch: Patch) -> None:
    """A value of a type that sessions do not hold."""
    patch.setitem(codec._DECODERS, "$t", bytearray)


def scheme_ignored(patch: Patch) -> None:
    """Go's comparison: the scheme of Origin does not count."""
    check = OriginCheck.check

    def lax(self: OriginCheck, method: str, path: str, own: str, origin: str | None, *more: Any) -> Any:
        return check(self, method, path, own, origin and origin.replace("http:", "https:"), *more)

    patch.setattr(OriginCheck, "check", lax)


def whole_again(patch: Patch) -> None:
    """Who resumes may have the whole file once more."""
    patch.setattr(Passage, "_spends", lambda self, status: self._resuming is None and status < 400)


def any_argument(patch: Patch) -> None:
    """An unknown command is a traceback."""
    patch.setattr("coatcheck.cli.parser.Parser.error", lambda self, message: (_ for _ in ()).throw(ValueError(message)))


GUARDS: list[tuple[str, Callable[[Patch], None]]] = [
    ("token", any_tag),
    ("handle", any_handle),
    ("cookie", first_cookie),
    ("ticket", unsigned),
    ("signed ticket", any_claims),
    ("signed ticket", taken_twice),
    ("csrf scanner", chunk_by_chunk),
    ("csrf form of a browser", any_part),
    ("gate's search", address_kept),
    ("gate's search", any_form),
    ("damaged row", any_secret),
    ("fields", any_tag_of_a_value),
    ("origin", scheme_ignored),
    ("ranges", whole_again),
    ("command line", any_argument),
]


@pytest.mark.parametrize(("name", "guard"), GUARDS, ids=[f"{name}-{guard.__name__}" for name, guard in GUARDS])
def test_the_attack_finds_a_guard_that_is_missing(name: str, guard: Callable[[Patch], None]) -> None:
    """With the guard switched off the same bounded attack breaks a promise; with it, none."""
    with pytest.MonkeyPatch.context() as patch:
        guard(patch)
        with pytest.raises(Exception):  # noqa: B017, PT011 (whatever the missing guard lets out)
            attack(NAMED[name], 5 * EXAMPLES)  # it ends with the first that is found
