"""A line of JSON for each record, whatever came from outside; and the settings of docs/observability.md in use."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Event, SessionManager
from coatcheck.logs import LONGEST, JsonFormatter
from tests.servers import AppServer

PAGE = (Path(__file__).parents[1] / "docs/observability.md").read_text()
KEY = "a key that guards nothing, for tests only"


def written(message: object, *arguments: object, **more: Any) -> dict[str, Any]:
    """What is written of a record, once it was found to be one line of ASCII."""
    record = logging.makeLogRecord(
        {"name": "coatcheck", "levelname": "INFO", "msg": message, "args": arguments, **more}
    )
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    found: dict[str, Any] = json.loads(line)
    return found


@given(text=st.text(), user=st.text() | st.none(), key=st.text())
def test_nothing_from_outside_begins_a_second_line(text: str, user: str | None, key: str) -> None:
    """Nor breaks the JSON: not a line's end of any kind, a quote, a control character or a NUL (ASVS 16.4.1)."""
    found = written("%s", text, coatcheck=Event("ended", 0.0, "h", user, text, {key: text}))
    assert found["message"] == text
    assert found["event"]["user"] == user
    assert found["event"]["detail"] == {key: text}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2J", "\ud800"])
def test_every_kind_of_line_end_is_escaped(end: str) -> None:
    """Readers do not agree on what ends a line."""
    assert written(f"a{end}b")["message"] == f"a{end}b"


def test_an_event_is_written_as_it_is() -> None:
    """For who searches by handle or user."""
    event = Event("authenticated", 1.5, "DV1h", "ada", None, {"from": "abc"})
    assert written("authenticated", coatcheck=event)["event"] == {
        "name": "authenticated",
        "at": 1.5,
        "session": "DV1h",
        "user": "ada",
        "reason": None,
        "detail": {"from": "abc"},
    }


def test_other_records_are_written_too() -> None:
    """The formatter is for a whole application. Something else under our name is no event."""
    found = written("%s of %d", "x", 3, created=1795858200.1234, name="app", levelname="ERROR", coatcheck="no event")
    assert found == {"time": "2026-11-28T09:30:00.123Z", "level": "ERROR", "logger": "app", "message": "x of 3"}


def test_a_traceback_is_in_the_same_line() -> None:
    """Else it would be twenty lines that are no JSON."""
    found: dict[str, Any] = {}
    try:
        int("bad\nthing")
    except ValueError:
        found = written("failed", exc_info=sys.exc_info())
    assert found["exception"].startswith("Traceback (most recent call last):\n")
    assert "ValueError: invalid literal" in found["exception"]


def test_a_trace_is_named_where_there_is_one() -> None:
    """As OpenTelemetry's instrumentation of logging writes it on the record; "0" means none."""
    found = written("x", otelTraceID="ab" * 16, otelSpanID="cd" * 8)
    assert (found["trace_id"], found["span_id"]) == ("ab" * 16, "cd" * 8)
    assert "trace_id" not in written("x", otelTraceID="0", otelSpanID="0")


def test_a_message_without_end_is_cut() -> None:
    """One line must not fill the disk."""
    found = written("x" * 10 * LONGEST)
    assert len(found["message"]) < LONGEST + 100
    assert found["message"].endswith(f"... ({10 * LONGEST} characters)")


def test_a_subclass_may_write_what_json_does_not_know() -> None:
    """A field that an application adds fails no request's log line."""

    class More(JsonFormatter):
        def fields(self, record: logging.LogRecord) -> dict[str, Any]:
            return {**super().fields(record), "where": Path("here")}

    assert json.loads(More().format(logging.makeLogRecord({"msg": "x"})))["where"] == "here"


def test_no_line_of_a_sessions_life_has_its_token() -> None:
    """What an event carries is written; none carries a secret."""
    lines = list[str]()
    formatter = JsonFormatter()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(formatter.format(record))

    logger, handler = logging.getLogger("coatcheck"), Handler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    try:
        with SessionManager("memory://", secret=KEY, namespace="logs") as manager:
            session = manager.load(None)
            session.login("ada")
            token = str(manager.commit(session).token)
            manager.revoke_user("ada")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert [json.loads(line)["event"]["name"] for line in lines] == ["authenticated", "ended"]
    assert not any(part in line for line in lines for part in token.split(".")[1:])


# -- the page's settings -------------------------------------------------------------------------------------


def block(language: str, text: str) -> str:
    """The page's example with that text in it."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return next(one for one in found if text in one)


def lines_of(text: str) -> list[dict[str, Any]]:
    """Each line of a log, which has to be JSON."""
    return [json.loads(line) for line in text.splitlines()]


APP = """
import logging, os
from coatcheck import Event
from coatcheck.events import log_event

async def app(scope, receive, send):
    if scope["type"] == "http":
        log_event(Event("ended", 0.0, "h", "eve\\nx", "logout"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

def wsgi(environ, start_response):
    log_event(Event("ended", 0.0, "h", "eve\\nx", "logout"))
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_the_settings_for_dictconfig_write_events() -> None:
    """As Django would, too."""
    settings = block("python", "LOGGING =").replace("# logging", "import logging.config\nlogging")
    code = settings + "from coatcheck.events import *\nlog_event(Event('ended', 0.0, 'h', 'eve\\nx', 'logout'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = lines_of(done.stdout)
    assert line["event"]["user"] == "eve\nx"


def test_the_settings_for_uvicorn_write_its_lines_and_ours(tmp_path: Path) -> None:
    """Start-up, access and events, each as JSON."""
    (tmp_path / "logging.json").write_text(block("json", "uvicorn.access"))
    (tmp_path / "logged.py").write_text(APP)
    with AppServer("logged:app", "--log-config", str(tmp_path / "logging.json"), folder=tmp_path) as server:
        urllib.request.urlopen(f"{server.url}/page").close()
        server.stop()
        lines = lines_of(server.log)
    assert {"uvicorn.error", "uvicorn.access", "coatcheck"} <= {line["logger"] for line in lines}
    assert any('"GET /page HTTP/1.1" 200' in line["message"] for line in lines)


def test_the_settings_for_gunicorn_write_its_lines_and_ours(tmp_path: Path) -> None:
    """Start-up, access and events, each as JSON."""
    (tmp_path / "gunicorn.conf.py").write_text(block("python", "logconfig_dict"))
    (tmp_path / "logged.py").write_text(APP)
    with Gunicorn(tmp_path) as server:
        urllib.request.urlopen(f"http://{server.host}:{server.port}/page").close()
        server.stop()
        lines = lines_of(server.log)
    assert {"gunicorn.error", "gunicorn.access", "coatcheck"} <= {line["logger"] for line in lines}
    assert sum("GET /page" in line["message"] for line in lines) == 1


class Gunicorn(AppServer):
    """gunicorn, with the settings in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", folder=folder)
        self._at = folder

    def start(self) -> None:
        def spawn() -> None:
            bind = f"{self.host}:{self.port}"
            self._spawn([sys.executable, "-m", "gunicorn", "--bind", bind, "logged:wsgi"], cwd=self._at)

        self._start_on_a_port(spawn, self._responds)
