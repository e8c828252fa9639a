"""`coatcheck doctor --site` before a real nginx: a proxy that hides https, one that says it, and a plain-http hop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.certificates import Certificates
from tests.doctor.stage import HOST, Ask, Names, Nginx
from tests.servers import AppServer

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def app() -> Iterator[AppServer]:
    """A real application of ours, over plain http."""
    with AppServer("tests.doctor.shop:app") as server:
        yield server


def front(app: AppServer, trusted: Certificates, headers: str = "") -> Nginx:
    """An nginx with https before the application."""
    return Nginx(
        "server { listen 127.0.0.1:{port} ssl;"
        f" ssl_certificate {trusted.server}; ssl_certificate_key {trusted.server_key};"
        " add_header Strict-Transport-Security max-age=31536000 always;"
        f" location / {{ proxy_pass {app.url}; {headers} }} }}"
    )


SAYS_SO = "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto https;"


def test_a_proxy_that_says_https_gets_no_warning(
    app: AppServer, trusted: Certificates, names: Names, doctor: Ask
) -> None:
    """As docs/asgi.md has it: the cookie is `__Host-`, and a redirect stays on https."""
    with front(app, trusted, SAYS_SO) as nginx:
        names.ports[HOST, 443] = nginx.port
        told = doctor("--site", f"https://{HOST}/", "--path", "/start", "--path", "/old")
        assert told.bad() == {}
        assert told.level("proxy") == "ok"


def test_a_proxy_that_hides_https_is_found(app: AppServer, trusted: Certificates, names: Names, doctor: Ask) -> None:
    """By nginx's defaults: the application takes a visitor for one on its own machine, over plain http."""
    with front(app, trusted) as nginx:
        names.ports[HOST, 443] = nginx.port
        told = doctor("--site", f"https://{HOST}/start")
        assert told.bad() == {"secure": "fail", "prefix": "warn", "proxy": "fail"}
        assert "coatcheck-insecure" in told.text("proxy")
        assert "X-Forwarded-Proto" in told.text("proxy")


def test_a_redirect_of_an_application_that_does_not_see_https_is_found(
    app: AppServer, trusted: Certificates, names: Names, doctor: Ask
) -> None:
    """It leads to http://, and is not followed."""
    with front(app, trusted, "proxy_set_header Host $host; proxy_redirect off;") as nginx:
        names.ports[HOST, 443] = nginx.port
        told = doctor("--site", f"https://{HOST}/old")
        assert told.level("redirect") == "fail"
        assert (HOST, 80) in names.asked  # only whether anybody is there
        assert told.level("plain-http") == "ok"


def test_a_secure_cookie_on_the_hop_behind_a_proxy_is_told(app: AppServer, names: Names, doctor: Ask) -> None:
    """Right there, and useless for a browser that comes that way; on this machine it is plain http on purpose."""
    with Nginx(f"server {{ listen 127.0.0.1:{{port}}; location / {{ proxy_pass {app.url}; {SAYS_SO} }} }}") as hop:
        names.ports["inner.example", 80] = hop.port
        told = doctor("--site", "http://inner.example/start")
        assert told.bad() == {"plain-http": "fail", "proxy": "warn"}
        assert "browsers do not keep it" in told.text("proxy")
    told = doctor("--site", f"{app.url}/start")
    assert told.bad() == {}
    assert told.level("secure") == "ok"


def test_nginx_that_redirects_to_https_is_well(
    app: AppServer, trusted: Certificates, names: Names, doctor: Ask
) -> None:
    """The usual two servers: the first for plain http, which leads to the second."""
    with (
        front(app, trusted, SAYS_SO) as nginx,
        Nginx("server { listen 127.0.0.1:{port}; return 308 https://$host$request_uri; }") as plain,
    ):
        names.ports |= {(HOST, 443): nginx.port, (HOST, 80): plain.port}
        for scheme in ("http", "https"):
            told = doctor("--site", f"{scheme}://{HOST}/start")
            assert told.bad() == {}
            assert told.level("plain-http") == "ok"
