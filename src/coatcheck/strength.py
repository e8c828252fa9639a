"""Whether a secret of 32 bytes or more can be guessed all the same: what `coatcheck doctor` looks for.

No more than an estimate: what is found is weak, what is not found may be. It never says a part of the secret.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log2
from typing import NamedTuple

LEAST_BITS = 80
"""Bits below which a secret is told. 32 random hexadecimal digits have 128, and are estimated at 90 or more."""

_PLACEHOLDERS = (
    *("changeme", "changethis", "changeit", "replaceme", "replacethis", "placeholder", "yoursecret", "supersecret"),
    *("mysecret", "secretkey", "topsecret", "password", "passw0rd", "insecure", "example", "default", "letmein"),
    *(
        "qwerty",
        "qwertz",
        "asdfgh",
        "0123456789",
        "12345678",
        "abcdefg",
        "deadbeef",
        "coatcheck",
        "notasecret",
        "djangoinsecure",
    ),
)
"""Without dashes and case. Each has six characters or more: a random secret has one of them once in a million."""
_WORD = re.compile(r"[a-z]+|[A-Z]+|[A-Z][a-z]+")
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")


class Weakness(NamedTuple):
    """Why a secret can be guessed."""

    sure: bool
    """Or it only looks so."""
    text: str


def weakness(secret: bytes) -> Weakness | None:
    """Why somebody may guess a secret, or None for one that looks random (ASVS 11.5.1; RFC 8725, 3.5)."""
    text = secret.decode("latin-1")
    if any(word in _BETWEEN.sub("", text.lower()) for word in _PLACEHOLDERS):
        return Weakness(True, "it holds a word of examples and of lists that attackers try")
    period = _period(secret)
    if period * 2 <= len(secret):
        return Weakness(True, f"it repeats {period} bytes")
    if sum(abs(one - next_) <= 1 for one, next_ in pairwise(secret)) * 2 > len(secret):
        return Weakness(True, "it is mostly a run, as 1234 is")
    bits = _bits(secret)
    if bits < LEAST_BITS:
        return Weakness(True, f"it is as easy to guess as {bits:.0f} random bits, of 128 at least")
    words = [word for word in _BETWEEN.split(text) if word]
    if text.isascii() and all(_WORD.fullmatch(word) for word in words):
        return Weakness(False, "it reads like words, which are easier to guess than random characters")
    return None


def _period(secret: bytes) -> int:
    """After how many bytes it begins anew; its length for never. The last round may be cut off."""
    return next(
        (size for size in range(1, len(secret)) if secret.startswith(secret[size:])),
        len(secret),
    )


def _bits(secret: bytes) -> float:
    """The entropy of its bytes by their frequencies: an upper bound for what has a pattern."""
    size = len(secret)
    return sum(count * log2(size / count) for count in Counter(secret).values())
