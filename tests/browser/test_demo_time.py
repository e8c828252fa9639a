"""What becomes of a sign-in, a session and a ticket with time, under a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coatcheck_lab.demo.settings import Settings
from coatcheck_lab.demo.state import State
from tests.browser.device import Device
from tests.lab.demo import PASSWORDS
from tests.servers import AppServer

pytestmark = pytest.mark.browser


class ClockedDemo(AppServer):
    """The demo's application, which is as late as the test says."""

    passwords = PASSWORDS

    def __init__(self, folder: Path) -> None:
        super().__init__(
            "tests.browser.clocked:app",
            env={"VAULT_FOLDER": str(folder), "COATCHECK_STORE": f"sqlite:///{folder}/sessions.db"},
        )
        self._file = folder / "later"
        self._later = timedelta(0)
        self.after(timedelta(0))

    def after(self, time: timedelta) -> None:
        """So much time goes by. Never back: what was revoked in the future would still be so."""
        self._later += time
        made = self._file.with_suffix(".new")
        made.write_text(str(self._later.total_seconds()))
        made.rename(self._file)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedDemo]:
    """In place of the demo with two processes: the devices of this module are this one's."""
    folder = tmp_path_factory.mktemp("vault")
    State.open(Settings(folder)).fill()
    with ClockedDemo(folder) as server:
        yield server
        assert "Traceback" not in server.log, server.log


def test_an_old_sign_in_is_confirmed_before_devices_change(device: Callable[..., Device], demo: ClockedDemo) -> None:
    """After ten minutes the password is asked for again; nothing was done before; then one goes on."""
    here, there = device("alice"), device("alice")
    here.go("/devices")
    demo.after(timedelta(minutes=11))
    here.press("Sign out all other devices")
    assert here.heading == "Is it still you?"
    assert there.go("/").status == 200
    assert there.heading == "Files"

    here.fill("Password of alice", "wrong")
    here.press("Confirm")
    assert "This is not your password." in here.text()
    here.fill("Password of alice", PASSWORDS["alice"])
    here.press("Confirm")
    assert here.heading == "Your devices"
    assert here.message == "Thank you. Now you can go on."
    here.press("Sign out all other devices")
    assert here.message == "Devices signed out: 1."
    there.go("/")
    assert there.heading == "Sign in"


def test_an_old_sign_in_is_confirmed_before_the_password_or_a_role_changes(
    device: Callable[..., Device], demo: ClockedDemo
) -> None:
    """Before anybody has typed anything into the form; a note meanwhile needs no confirmation."""
    here = device("morgan")
    here.go("/notes")
    here.fill("Title", "Kept")
    here.press("Save the title")
    here.go("/people")
    demo.after(timedelta(minutes=11))
    here.press("Set the role of alice")
    assert here.heading == "Is it still you?"
    here.go("/notes")
    here.fill("Text", "Kept as well")
    here.press("Save the text")
    assert here.heading == "Note"
    here.follow("Password")
    assert here.heading == "Is it still you?"
    here.fill("Password of morgan", PASSWORDS["morgan"])
    here.press("Confirm")
    assert here.heading == "Change your password"
    here.follow("Note")
    assert "Kept as well" in here.text()


def test_the_confirmation_keeps_how_long_the_device_is_remembered(
    device: Callable[..., Device], demo: ClockedDemo
) -> None:
    """A remembered device stays so, and one that was not does not become so."""
    for remember in (True, False):
        here = device()
        here.sign_in("alice", PASSWORDS["alice"], remember=remember)
        demo.after(timedelta(minutes=11))
        here.follow("Password")
        here.fill("Password of alice", PASSWORDS["alice"])
        here.press("Confirm")
        assert here.cookie is not None
        assert (here.cookie.get("expires", -1) > 0) is remember


def test_a_session_that_nobody_used_says_so(device: Callable[..., Device], demo: ClockedDemo) -> None:
    """Twelve idle hours end it, and the sign-in page gives the reason."""
    here = device("alice")
    demo.after(timedelta(hours=11))
    assert here.go("/notes").status == 200
    assert here.heading == "Note"
    demo.after(timedelta(hours=13))
    here.go("/notes")
    assert here.alert == "You were signed out because you had not been here for 12 hours."


def test_a_late_link_has_expired(device: Callable[..., Device], demo: ClockedDemo) -> None:
    """Two minutes, and a little for clocks that differ."""
    here = device("alice")
    here.press("Show a link to Cloakroom rules")
    link = here.page.get_by_label("The link, to copy").input_value()
    demo.after(timedelta(minutes=3))
    assert here.go(link).status == 410
    assert here.heading == "This link has expired"
