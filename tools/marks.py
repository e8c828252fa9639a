"""A part of a page that a command writes, between two marks."""

from __future__ import annotations


def between(page: str, begin: str, end: str) -> str:
    """What lies between the marks. Raises ValueError for a page that has lost them."""
    _, first, rest = page.partition(begin)
    text, last, _ = rest.partition(end)
    if not (first and last):
        message = f"the page has lost {begin.strip()} or {end.strip()}"
        raise ValueError(message)
    return text


def put(page: str, begin: str, end: str, text: str) -> str:
    """The page with that text between the marks. Raises ValueError as `between`."""
    between(page, begin, end)
    before, _, rest = page.partition(begin)
    return before + begin + text + end + rest.partition(end)[2]
