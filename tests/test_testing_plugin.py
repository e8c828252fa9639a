"""`coatcheck.testing.plugin`: fixtures for those who ask for them, and nothing for anybody else."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

APPLICATION = """
from datetime import timedelta
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from coatcheck.integrations.starlette import SessionMiddleware, session_from

async def me(request):
    return PlainTextResponse(str(session_from(request).user_id))

def client(settings):
    return TestClient(Starlette(routes=[Route("/", me)], middleware=[Middleware(SessionMiddleware, **settings)]))

def test_signed_in_until_the_month_is_over(coatcheck_settings, coatcheck_log_in, coatcheck_clock):
    browser = client(coatcheck_settings)
    coatcheck_log_in(browser, "ada")
    assert browser.get("/").text == "ada"
    coatcheck_clock.advance(timedelta(days=31))
    assert browser.get("/").text == "None"

def test_each_test_has_a_store_of_its_own(coatcheck_settings, coatcheck_log_in):
    other = client(coatcheck_settings)
    coatcheck_log_in(other, "bob")
    from coatcheck import SessionManager
    assert SessionManager(**coatcheck_settings).stats().sessions == 1
"""


def run(folder: Path, *, asked: bool) -> subprocess.CompletedProcess[str]:
    """A user's tests, in a process of their own."""
    if asked:
        (folder / "conftest.py").write_text('pytest_plugins = ["coatcheck.testing.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_shop.py").write_text(APPLICATION)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_who_asks_for_the_plugin_has_its_fixtures(tmp_path: Path) -> None:
    """A client that is signed in by one line, a clock to move, a store for each test; and no warning."""
    done = run(tmp_path, asked=True)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_who_does_not_ask_has_none_of_it(tmp_path: Path) -> None:
    """No entry point loads it into the tests of everybody who has Coatcheck installed."""
    done = run(tmp_path, asked=False)
    assert "fixture 'coatcheck_settings' not found" in done.stdout
    assert {point.group for point in distribution("coatcheck").entry_points} == {"console_scripts"}


def test_it_is_not_loaded_here(request: pytest.FixtureRequest) -> None:
    """Nor does `coatcheck.testing` load it: fixtures of a name that nobody expects would be a surprise."""
    assert not request.config.pluginmanager.has_plugin("coatcheck.testing.plugin")
