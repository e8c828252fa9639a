"""What a user agent says of itself: a browser's family and a system, by well-known marks.

Anybody can claim to be any browser: it is there to recognise and to count, never to decide.
"""

from __future__ import annotations

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser(user_agent: str) -> str | None:
    """The browser's family, one of a handful, as in "Firefox"; None for one that is not known."""
    return next((name for mark, name in _BROWSERS if mark in user_agent), None)


def system(user_agent: str) -> str | None:
    """The system, as in "Linux"; None for one that is not known."""
    return next((name for mark, name in _SYSTEMS if mark in user_agent), None)
