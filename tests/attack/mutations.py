"""Hostile variants of genuine inputs: edited, cut, spliced, with bits flipped, repeated, and of other scripts.

An edit is drawn as data and applied by a pure function, so that a counterexample shrinks to the one edit that
matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

PIECES = (
    *("", ".", "..", "=", "==", ";", "; ", ",", "&", "&&", '"', "'", "%", "%00", "%3d", "+", " ", "\t", "\r\n", "\0"),
    *("-", "--", "_", "/", "\\", "\\u0000", "\\ud800", "{", "}", "[", "]", ":", "$", '"$', "null", "true", "NaN"),
    *("1e400", "-1", "9" * 5000, "[" * 20, "]" * 20, "[" * 3000, '{"a":' * 700, "A" * 100, "&" * 120),
    *("\xe9", "\xff", "\u0130", "\u2028", "\u200b", "\ufeff", "\uff0e", "\u0660", "\U0001f600", "\ud800"),
    *("_csrf=", "ticket=", "__Host-coatcheck=", "--x\r\n", "\r\n\r\n", "http://", "https://", "null@", ":443", "none"),
)
"""What parsers trip over: separators, escapes, numbers out of range, nesting, look-alikes, lone surrogates."""


class Edit(NamedTuple):
    """One change; places are taken modulo the length of what is changed."""

    kind: str
    at: int
    span: int
    other: int
    """Which piece, or which of the genuine inputs."""


EDITS = st.builds(
    Edit,
    st.sampled_from(["piece", "over", "cut", "flip", "case", "twice", "splice", "tail", "swap"]),
    st.integers(0, 600),
    st.integers(0, 40),
    st.integers(0, 200),
)


def _once(text: str, edit: Edit, genuine: Sequence[str]) -> str:  # noqa: PLR0911 (one line a kind)
    at = edit.at % (len(text) + 1)
    end = at + edit.span
    piece = PIECES[edit.other % len(PIECES)]
    other = genuine[edit.other % len(genuine)]
    match edit.kind:
        case "piece":
            return text[:at] + piece + text[at:]
        case "over":
            return text[:at] + piece + text[end:]
        case "cut":
            return text[:at] + text[end:]
        case "flip":
            flipped = chr(ord(text[at]) ^ 1 << edit.span % 8) if at < len(text) else ""
            return text[:at] + flipped + text[at + 1 :]
        case "case":
            return text[:at] + text[at:end].swapcase() + text[end:]
        case "twice":
            return text[:end] + text[at:end] * 3 + text[end:]
        case "splice":
            return text[:at] + other[at:]
        case "tail":
            return text + piece + other
        case _:
            return text[at:] + text[:at]


def mutate(text: str, edits: Sequence[Edit], genuine: Sequence[str]) -> str:
    """`text` after all edits, in their order."""
    for edit in edits:
        text = _once(text, edit, genuine)
    return text


def texts(genuine: Sequence[str], edits: int = 4) -> st.SearchStrategy[str]:
    """The genuine inputs and what is made of them by up to `edits` edits; now and then any text at all."""
    return st.one_of(
        st.builds(
            lambda base, how: mutate(base, how, genuine), st.sampled_from(genuine), st.lists(EDITS, max_size=edits)
        ),
        st.builds(lambda base, how: mutate(base, how, genuine), st.sampled_from(genuine), st.lists(EDITS, max_size=1)),
        st.text(max_size=120),
    )


def octets(genuine: Sequence[str], edits: int = 4) -> st.SearchStrategy[bytes]:
    """The same as bytes: what is not Latin-1 as UTF-8, as a client might send it."""
    return texts(genuine, edits).map(as_octets) | st.binary(max_size=120)


def as_octets(text: str) -> bytes:
    """Text as the network carries it."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def chunked(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` cut at these places, modulo its length; equal places give empty chunks."""
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
