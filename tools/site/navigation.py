"""The pages of the site, in their order: (heading, pages without ".md"). A test holds that no page is left out."""

from __future__ import annotations

NAVIGATION: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("README", "docs/tutorial")),
    (
        "How to",
        (
            "docs/how-to/scale-out",
            "docs/how-to/password-change",
            "docs/how-to/step-up",
            "docs/how-to/remember-me",
            "docs/how-to/single-sign-out",
            "docs/how-to/mobile-clients",
            "docs/how-to/email-links",
            "docs/how-to/protected-downloads",
            "docs/how-to/key-rotation",
            "docs/how-to/test-your-application",
            "docs/how-to/write-a-store",
            "docs/moving",
        ),
    ),
    (
        "Frameworks",
        (
            "docs/frameworks/fastapi",
            "docs/asgi",
            "docs/frameworks/django",
            "docs/frameworks/flask",
            "docs/frameworks/quart",
            "docs/frameworks/litestar",
            "docs/frameworks/aiohttp",
            "docs/frameworks/wsgi",
            "docs/versions",
        ),
    ),
    ("Running it", ("docs/command-line", "docs/pages", "docs/doctor", "docs/audit", "docs/observability")),
    ("Stores", ("docs/stores", "docs/sqlite", "docs/redis", "docs/postgresql", "docs/near-cache", "docs/move")),
    ("Concepts", ("docs/sessions", "docs/testing")),
    (
        "Reference",
        (
            "docs/reference/coatcheck",
            "docs/reference/errors",
            "docs/reference/events",
            "docs/reference/policy",
            "docs/reference/integrations",
            "docs/reference/html",
            "docs/reference/legacy",
            "docs/reference/stores",
            "docs/reference/store",
            "docs/reference/testing",
            "docs/reference/pages",
            "docs/reference/commands",
        ),
    ),
    ("Security", ("docs/security/threat-model", "docs/security/requirements", "SECURITY")),
    ("Comparison", ("docs/comparison", "docs/applications")),
    (
        "Evidence",
        (
            "docs/performance",
            "docs/performance-served",
            "docs/races",
            "docs/lab",
            "docs/soak",
            "docs/scale",
            "docs/growth",
            "docs/capacity",
        ),
    ),
    ("Decisions", ("docs/decisions/README",)),
    ("Project", ("CONTRIBUTING", "CHANGELOG")),
)

START = "README"
BELOW = {"docs/decisions/README": "docs/decisions/[0-9]*"}
"""Pages that have all that match as their children."""


def toctree(heading: str, pages: tuple[str, ...]) -> str:
    """A part of the sidebar, as MyST's directive."""
    return "\n".join(
        ["```{toctree}", f":caption: {heading}", ":hidden:", "", *(f"/{page}" for page in pages), "```", ""]
    )


def appended(page: str) -> str:
    """What a page gets at its end when the site is built: the files themselves stay plain Markdown."""
    if page == START:
        parts = ((heading, tuple(one for one in pages if one != START)) for heading, pages in NAVIGATION)
        return "\n\n" + "\n".join(toctree(heading, pages) for heading, pages in parts)
    if page in BELOW:
        return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n\n/{BELOW[page]}\n```\n"
    return ""
