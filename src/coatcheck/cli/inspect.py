"""`coatcheck inspect`: what a token, a ticket or a handle is, and with a store and its secret whether it counts."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from coatcheck.errors import ConfigurationError, TicketError
from coatcheck.manager import SessionManager
from coatcheck.store import Ended

from . import output
from .command import Command, opened

MAX_LENGTH = 8192
"""Characters that are looked at."""

_HANDLE = re.compile(r"[A-Za-z0-9_-]{22}")
_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{30}\.[0-9a-f]{32}")
_SESSION, _TICKET = "session+jwt", "ticket+jwt"
_UNSIGNED = "no: not signed with this secret, or altered"


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "token",
        nargs="?",
        metavar="TOKEN",
        help="read from standard input by default, which keeps it out of the shell's history",
    )


def _run(options: argparse.Namespace) -> int:
    text: str = (sys.stdin.readline(MAX_LENGTH + 1) if options.token is None else options.token).strip()
    if not text or len(text) > MAX_LENGTH:
        raise ConfigurationError(f"give a token, a ticket or a handle, of at most {MAX_LENGTH} characters")
    facts = dict(_facts(text))
    with _quiet():
        facts |= dict(_judged(text, facts, options))
    if options.json:
        output.as_json(facts)
    else:
        output.pairs({name.replace("_", " "): str(value) for name, value in facts.items()})
    return 0 if facts.get("valid", "yes") == "yes" else 1


@contextmanager
def _quiet() -> Iterator[None]:
    """Looking at a ticket is no event for the log."""
    logger = logging.getLogger("coatcheck")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _facts(text: str) -> Iterator[tuple[str, Any]]:
    """What it says of itself, to whoever reads it. Never the secret in it."""
    if _HANDLE.fullmatch(text):
        yield "what", "a session's handle: its public name, which signs nobody in"
        yield "handle", text
        return
    if token := _TOKEN.fullmatch(text):
        yield "what", "a session's token: it signs its owner in"
        yield "handle", token[1]
        return
    header, claims = _jwt(text)
    if header.get("typ") == _SESSION:
        yield "what", "a session's token, as a JWT: it signs its owner in"
        yield "handle", str(claims.get("sid"))
    elif header.get("typ") == _TICKET:
        yield "what", "a ticket: it opens one thing, once"
        yield "purpose", str(claims.get("aud"))
        yield "issuer", str(claims.get("iss"))
        yield "handle", str(claims.get("sid"))
        if "sub" in claims:
            yield "user_id", str(claims["sub"])
        yield "bearer", claims.get("bearer") is True
        for name, claim in (("issued_at", "iat"), ("expires_at", "exp")):
            if isinstance(claims.get(claim), int) and 0 <= claims[claim] < 253_402_300_800:
                yield name, datetime.fromtimestamp(claims[claim], UTC).isoformat()
    elif header:
        yield "what", "a JWT that is none of ours"
        yield "algorithm", str(header.get("alg"))
        yield "claims", ", ".join(sorted(map(str, claims)))
    else:
        raise ConfigurationError("this is neither a token, a ticket nor a handle of ours. Was all of it copied?")


def _jwt(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a JWT, unverified; empty if it is none."""
    found: list[dict[str, Any]] = []
    for part in text.split(".")[:2]:
        try:
            value = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            return {}, {}
        if not isinstance(value, dict):
            return {}, {}
        found.append(value)
    return (found[0], found[1]) if len(found) == 2 and text.count(".") == 2 else ({}, {})


def _judged(text: str, facts: dict[str, Any], options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """What the store says of it, and the secret; nothing without a store."""
    if "handle" not in facts:
        return
    try:
        manager = opened(options)
    except ConfigurationError:
        if options.store is not None:
            raise
        yield (
            "valid",
            "not known: name its store, with --store or COATCHECK_STORE, and have its secret in COATCHECK_SECRET",
        )
        return
    with manager:
        if "purpose" in facts:
            yield "valid", _redeemable(manager, text, facts["purpose"])
            return
        if "token" in facts["what"]:
            shown = manager.engine.verify(text)
            if shown is None:
                yield "valid", _UNSIGNED
                return
            yield "key", "an older one: it is signed anew at the next chance" if shown.resign else "the newest"
            yield "valid", _alive(manager, shown.handle, shown.hash)
        info = manager.info(facts["handle"])
        if info is not None:
            yield from ((name, value) for name, value in output.facts(info).items() if value is not None)
        elif "token" not in facts["what"]:
            yield "valid", "no: no live session is called so"


def _alive(manager: SessionManager, handle: str, secret_hash: str) -> str:
    """Whether the session lives, and this is its secret. Only looked at: a load would take an old secret for a
    thief's, and end the session."""
    found = manager.store.load(handle)
    if isinstance(found, Ended):
        return f"no: ended, {found.reason}"
    if found is None:
        return "no: not known, or forgotten"
    if over := found.over(manager.engine.now()):
        return f"no: ended, {over.reason}"
    steps = [secret.hash for secret in found.secrets]
    if secret_hash not in steps:
        return "no: its secret is long past; who shows it may be a thief"
    return "yes" if secret_hash == steps[0] else "no longer for long: it has been followed by another"


def _redeemable(manager: SessionManager, text: str, purpose: str) -> str:
    try:
        manager.tickets.peek(text, purpose)
    except TicketError as error:
        return f"no: {error}"
    return "yes"


COMMANDS = (
    Command(
        "inspect",
        "what a token or a ticket is",
        "Say what a token, a ticket or a handle is; with the store and its secret also whether it is valid, and why "
        "not. Nothing is used up or ended by it, and its secret is not printed.",
        _add,
        _run,
        "exit code: 0 what it is, and valid as far as is known; 1 not valid; 2 it could not be told.",
    ),
)
