"""A network between a client and a server in which bytes can be held back, let go later, or lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Self


class Link:
    """A way to a server on loopback. Held bytes go out late and in order, as from a slow server, or never."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.delay = 0.0
        """Seconds for which each reply is held back."""
        self._requests, self._replies = threading.Event(), threading.Event()
        self._closing = threading.Event()
        self.holding = threading.Event()
        """Set when a reply is held back."""
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.release()

    def hold(self) -> None:
        """Keep replies back from now on: the server gets what is sent, and does it."""
        self._replies.clear()

    def part(self) -> None:
        """Keep everything back, in both directions: each side finds the other silent."""
        self._requests.clear()
        self._replies.clear()

    def release(self) -> None:
        """Let all that was held go on its way."""
        self.holding.clear()
        self._requests.set()
        self._replies.set()

    def lose(self) -> None:
        """Lose what is held, and every connection with it."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.release()

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # shutdown() wakes accept(); close() alone does not.
        self._open.append(self._listener)
        self.lose()
        for thread in self._threads:
            thread.join(10)
        for one in self._open:
            one.close()

    def _run(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            self._run(self._carry, client, server, self._requests, False)
            self._run(self._carry, server, client, self._replies, True)

    def _carry(self, source: socket.socket, target: socket.socket, flowing: threading.Event, late: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if late and not flowing.is_set():
                    self.holding.set()
                flowing.wait()
                if late and self.delay:
                    self._closing.wait(self.delay)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
