"""What all pages look like: templates, texts, a style sheet, and the headers that keep others out of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ..csrf import refuse_token
from ..errors import ConfigurationError
from ..html import csrf_input
from ..replies import Reply
from .ask import Ask
from .wording import Wording

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('the pages need Jinja2: pip install "coatcheck[pages]"') from _error

_HERE = Path(__file__).parent
_STATIC = {"/style.css": "text/css", "/console.js": "text/javascript"}

Translate = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


class Look:
    """How pages are drawn, and in which language.

    `translate` is called with each English text, as gettext is; `language` is its code, or a callable that says it for
    this request. `stylesheet` is the address of a style sheet of yours, which sets the variables that the pages' own
    begins with. `login_url`: where somebody signs in; the page's own address is added as `next`.
    """

    def __init__(
        self,
        *,
        login_url: str | None = None,
        stylesheet: str | None = None,
        translate: Translate = _as_it_is,
        language: str | Callable[[], str] = "en",
        home_url: str | None = None,
    ) -> None:
        self._login_url, self._home_url, self._stylesheet = login_url, home_url, stylesheet
        self._translate, self._language = translate, language
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        place = urlsplit(stylesheet or "")
        own = f" {place.scheme}{'://' if place.scheme else ''}{place.netloc}" if place.netloc else ""
        # Nothing that a visitor or a client sent can run here, or send anything elsewhere.
        self._policy = (
            f"default-src 'none'; style-src 'self'{own}; script-src 'self'; connect-src 'self'; img-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def first(self, ask: Ask, manager: Any) -> Reply | None:
        """What needs no look at the store: the style sheet and the script, and who is refused."""
        if found := self._static(ask):
            return found
        if ask.session.user_id is None:
            return self.message(ask, 401, "Please sign in", "This page is for who is signed in.", sign_in=True)
        # Also where the application's own check is off, or looks for a token of its own.
        if ask.method == "POST" and not manager.engine.csrf_matches(ask.session, ask.form.get("_csrf", "")):
            refusal = refuse_token(ask.method, f"{ask.base}{ask.path}", shown="_csrf" in ask.form)
            manager.engine.emit("csrf_refused", reason=refusal.reason, detail={"why": refusal.log})
            text = "Nothing was changed. Go back, reload the page and try again."
            return self.message(ask, 403, "This form is too old", text)
        return None

    def _static(self, ask: Ask) -> Reply | None:
        kind = _STATIC.get(ask.path)
        if kind is None or ask.method not in ("GET", "HEAD"):
            return None
        body = (_HERE / "static" / ask.path[1:]).read_bytes()
        return self._reply(200, body, kind, ("cache-control", "max-age=3600"))

    def page(self, ask: Ask, template: str, status: int = 200, *, now: float = 0.0, **values: Any) -> Reply:
        """A page, never cached: it holds what is about one person, and a CSRF token. `now`: for "5 minutes ago", in
        seconds since the epoch."""
        language = self._language if isinstance(self._language, str) else self._language()
        text = self._environment.get_template(template).render(
            values,
            _=self._translate,
            base=ask.base,
            link=lambda path, **query: _link(ask.base, path, query),
            csrf_input=csrf_input(ask.session),
            home_url=self._home_url,
            language=language,
            me=ask.session.user_id,
            stylesheet=self._stylesheet,
            words=Wording(self._translate, now),
        )
        return self._reply(status, text.encode(), "text/html", ("cache-control", "no-store"))

    def message(self, ask: Ask, status: int, title: str, text: str, *, sign_in: bool = False) -> Reply:
        """A page that says one thing, with the way to the sign-in where that helps."""
        address = None
        if sign_in and self._login_url:
            mark = "&" if "?" in self._login_url else "?"
            address = f"{self._login_url}{mark}next={quote(_link(ask.base, '/', {}), safe='/')}"
        _ = self._translate
        return self.page(ask, "message.html", status, title=_(title), text=_(text), address=address)

    def not_found(self, ask: Ask, text: str = "There is no such page.") -> Reply:
        """For an address that leads nowhere."""
        return self.message(ask, 404, "Not found", text)

    def not_fresh(self, ask: Ask) -> Reply:
        """For who signed in long ago: who finds a browser open must not sign its owner out elsewhere (ASVS 7.5.2)."""
        text = "You signed in a while ago. Before you see or end sessions, show once more that it is you."
        return self.message(ask, 403, "Please sign in again", text, sign_in=True)

    def see(self, ask: Ask, path: str, **query: object) -> Reply:
        """On to another page, after a form."""
        return Reply(303, [(b"location", _link(ask.base, path, query).encode()), (b"cache-control", b"no-store")], b"")

    def _reply(self, status: int, body: bytes, kind: str, cache: tuple[str, str]) -> Reply:
        headers = {
            "content-type": f"{kind}; charset=utf-8",
            "content-length": str(len(body)),
            "content-security-policy": self._policy,
            "x-content-type-options": "nosniff",
            # Not "no-referrer": then a form's Origin would be null, and the form refused.
            "referrer-policy": "same-origin",
            cache[0]: cache[1],
        }
        return Reply(status, [(name.encode(), value.encode("latin-1")) for name, value in headers.items()], body)


def _link(base: str, path: str, query: dict[str, object]) -> str:
    # Never two slashes at the beginning: that is another host's address.
    base = f"/{base.lstrip('/')}" if base else ""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{quote(base, safe='/')}{path}{'?' if given else ''}{urlencode(given)}"
