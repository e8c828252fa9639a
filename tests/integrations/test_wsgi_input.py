"""The form token in the first bytes of a body: found without holding an upload, and given on untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import Mock

import pytest

from coatcheck.integrations.wsgi import session_from
from coatcheck.integrations.wsgi_input import Ahead
from tests.integrations.wsgi_server import TEXT, Serving, Upload

FORM = "application/x-www-form-urlencoded"
FILE = bytes(range(256)) * 4096 + b"\nlast line"


def by_length(environ: Any) -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def by_pieces(environ: Any) -> bytes:
    left, parts = int(environ["CONTENT_LENGTH"]), []
    while left:
        parts.append(environ["wsgi.input"].read(min(7001, left)))
        left -= len(parts[-1])
    return b"".join(parts)


def to_the_end(environ: Any) -> bytes:
    return bytes(environ["wsgi.input"].read(-1))


def by_line(environ: Any) -> bytes:
    stream = environ["wsgi.input"]
    # Some of these and of those before the rest.
    return b"".join([stream.readline(), stream.readline(3), stream.read(9000), *stream])


def by_lines(environ: Any) -> bytes:
    stream = environ["wsgi.input"]
    some: list[bytes] = stream.readlines(5000)
    return b"".join([*some, *stream.readlines()])


READERS = [by_length, by_pieces, to_the_end, by_line, by_lines]


def serving_to(read: Callable[[Any], bytes], got: list[bytes], check: bool = True) -> Serving:
    """An application that reads its body in some way."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        got.append(read(environ))
        session_from(environ)["saved"] = True
        start_response("200 OK", list(TEXT))
        return [b"saved"]

    return Serving(app, check=check, csrf="token")


def multipart(*parts: tuple[str, bytes]) -> tuple[bytes, str]:
    """A body of form fields and one file, and its content type."""
    pieces = [b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v) for n, v in parts]
    return b"".join(pieces) + b"--XX--\r\n", "multipart/form-data; boundary=XX"


@pytest.mark.parametrize("read", READERS)
def test_an_upload_behind_its_token_reaches_the_application_whole(read: Callable[[Any], bytes]) -> None:
    """14: byte for byte, by whatever method it is read; and before that no more than a piece of it is taken."""
    got: list[bytes] = []
    ends = read not in (by_length, by_pieces)
    taken: list[int] = []

    def reader(environ: Any) -> bytes:
        taken.append(serving.upload.taken)
        return read(environ)

    # The validator asks for an argument to every read, which Upload's end needs none of.
    serving = serving_to(reader, got, check=not ends)
    token = serving.signed_in()
    body, kind = multipart(("_csrf", serving.manager.load(token).csrf_token.encode()), ("file", FILE))
    assert serving.ask("POST", token=token, body=body, content_type=kind, ends=ends).status == 200
    assert got == [body]
    assert taken == [8192]


@pytest.mark.parametrize("form", ["right", "wrong", "none", "too late", "json", "header"])
def test_a_form_shows_its_token_or_changes_nothing(form: str) -> None:
    """14: 403 before the application, for a session with a user; never more than 64 KiB are looked at."""
    got: list[bytes] = []
    serving = serving_to(by_length, got)
    token = serving.signed_in()
    shown = serving.manager.load(token).csrf_token
    padding = "x=" + "y" * 100_000
    body = {
        "right": f"a=1&_csrf={shown}",
        "wrong": f"a=1&_csrf={'A' * 86}",
        "too late": f"{padding}&_csrf={shown}",
        "json": f'{{"_csrf": "{shown}"}}',
    }.get(form, "a=1")
    headers: dict[str, Any] = {"x_coatcheck_csrf": shown} if form == "header" else {}
    kind = "application/json" if form == "json" else FORM
    answer = serving.ask("POST", token=token, body=body.encode(), content_type=kind, **headers)
    assert answer.status == (200 if form in ("right", "header") else 403)
    assert bool(got) == (answer.status == 200)
    assert serving.upload.taken <= (len(body) if got else 65_536 + 8192)


def test_a_visitor_needs_no_token_and_its_body_is_not_read() -> None:
    """14: only a session with a user has something to lose."""
    got: list[bytes] = []
    serving = serving_to(by_length, got)
    assert serving.ask("POST", body=b"a=1", content_type=FORM).status == 200


@pytest.mark.parametrize("length", ["", "+3", "-1", "1_0", "\u00b2"])
def test_a_body_without_a_length_is_not_waited_for(length: str) -> None:
    """12: where the server does not promise an end, reading on would hold a thread for ever."""
    serving = serving_to(by_length, [], check=False)
    serving.middleware.app = lambda *_: pytest.fail("the application is not reached")
    token = serving.signed_in()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": length,
        "HTTP_COOKIE": f"__Host-coatcheck={token}",
        "wsgi.url_scheme": "https",
        "wsgi.input": Upload(b"", ends=False),
    }
    told = Mock()
    list(serving.middleware(environ, told))
    assert told.call_args[0][0] == "403 Forbidden"


def test_a_chunked_body_is_read_to_its_end() -> None:
    """`wsgi.input_terminated`: no length is known, and the server tells the end."""
    got: list[bytes] = []
    serving = serving_to(to_the_end, got, check=False)
    token = serving.signed_in()
    body = f"_csrf={serving.manager.load(token).csrf_token}".encode()
    assert serving.ask("POST", token=token, body=body, content_type=FORM, ends=True).status == 200
    assert got == [body]
    assert serving.ask("POST", token=token, body=b"a=1", content_type=FORM, ends=True).status == 403


def test_a_body_that_breaks_off_is_the_end_of_it() -> None:
    """A client that promises more than it sends."""
    body = Ahead({"wsgi.input": Upload(b"abc", ends=True), "CONTENT_LENGTH": "10"})
    assert (body.look(8), body.at_end) == (b"abc", False)
    assert (body.look(8), body.at_end) == (b"", True)
    assert body.read(10) == b"abc"
