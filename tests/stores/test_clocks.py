"""A process whose clock is wrong: it learns the store's before it computes anything from its own."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from coatcheck import Policy, SessionManager

SECRET = "a secret of the tests, long enough for anything"
POLICY = Policy(idle_timeout=timedelta(minutes=15))

AHEAD = """
import sys, time
true = time.time
time.time = lambda: true() + float(sys.argv[3])
from datetime import timedelta
from coatcheck import Policy, SessionManager
manager = SessionManager(sys.argv[1], secret=sys.argv[2], policy=Policy(idle_timeout=timedelta(minutes=15)))
if sys.argv[4] == "revoke":
    print(manager.revoke_user("ada"))
else:
    print(manager.load(sys.argv[4]).user_id)
"""


@pytest.fixture(params=["redis", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Each store that has a clock of its own."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def elsewhere(url: str, skew: float, what: str) -> str:
    """What a fresh process with a wrong clock prints."""
    command = [sys.executable, "-c", AHEAD, url, SECRET, str(skew), what]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def sign_in(manager: SessionManager) -> str:
    """A session of ada's."""
    session = manager.load(None)
    session.login("ada")
    return manager.commit(session).token or ""


def test_a_server_that_is_ahead_revokes_and_bars_nobody_after_it(url: str) -> None:
    """Its first call is a revocation: the session ends, and the next login is not refused for twenty minutes."""
    with SessionManager(url, secret=SECRET, policy=POLICY) as manager:
        token = sign_in(manager)
        assert elsewhere(url, 1200, "revoke") == "1"
        assert manager.load(token).user_id is None
        assert manager.load(sign_in(manager)).user_id == "ada"


def test_a_server_that_is_ahead_sees_no_idle_session_where_there_is_none(url: str) -> None:
    """Its first call is a load: the user is signed in, whatever its clock says, and a day off in both directions."""
    with SessionManager(url, secret=SECRET, policy=POLICY) as manager:
        token = sign_in(manager)
        assert [elsewhere(url, skew, token) for skew in (1200, 86_400, -86_400)] == ["ada"] * 3
