"""Another server: an attacker's, on another site or on a sibling of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from .processes import HOST


class Elsewhere:
    """Serves one page, and notes what it is sent."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port = server.server_address[1]
        self.page = ""
        """What it shows, in HTML."""
        self.heard: list[str] = []
        """The queries of what it was asked for, apart from its page."""

    @property
    def other_site(self) -> str:
        """Its URL as another site: not the site of 127.0.0.1, by any browser's rule."""
        return f"http://localhost:{self.port}"

    @property
    def sibling(self) -> str:
        """Its URL as another origin of our own site, as a subdomain is."""
        return f"http://{HOST}:{self.port}"


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A browser that has gone on before the answer is no fault."""


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """Such a server, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path)[2:4]
            if path != "/":
                there.heard.append(query)
            body = there.page.encode() if path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with _Server((HOST, 0), Handler) as server:
        there = Elsewhere(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
