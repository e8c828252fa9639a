"""The CSRF token in HTML: a hidden input for forms, an attribute for htmx, a header for fetch.

With Jinja2: `templates.env.globals["csrf_input"] = csrf_input`, then `{{ csrf_input(request.session) }}` as
the first thing in a form, before any file input. A script sends the header `X-Coatcheck-CSRF` instead.
"""

from __future__ import annotations

from .csrf import FIELD, HEADER
from .session import Session


class Html(str):
    """Text that is HTML already: Jinja2, MarkupSafe and Django leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def csrf_input(session: Session) -> Html:
    """A hidden input with the session's token, or nothing for a session that is not stored."""
    token = session.csrf_token
    return Html(f'<input type="hidden" name="{FIELD}" value="{token}">' if token else "")


def csrf_headers(session: Session) -> Html:
    """The value of an `hx-headers` attribute, in single quotes, or `{}` for a session that is not stored."""
    token = session.csrf_token
    return Html(f'{{"{HEADER}": "{token}"}}' if token else "{}")
