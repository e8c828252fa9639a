"""A ticket's passage through a gate, in what no framework shows."""

from __future__ import annotations

from typing import Unpack

import pytest

from coatcheck import SessionManager
from coatcheck.passage import GateOptions, GateSettings, Passage

SECRET = "correct horse battery staple, of a passage's tests"


def _opened(**settings: Unpack[GateOptions]) -> Passage:
    """One that a good ticket has opened."""
    manager = SessionManager("memory://", secret=SECRET)
    session = manager.load(None)
    session.login("7")
    manager.commit(session)
    jwt = manager.tickets.issue("download", {}, session=session)
    wanted = GateSettings("download", **settings)
    passage = Passage(wanted, manager, session, None, jwt=jwt, method="GET", path="/", headers={})
    assert manager.carry_out(passage.opens()) is None
    return passage


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ([], "attachment"),
        ([("Content-Disposition", 'inline; filename="a.html"')], 'attachment; filename="a.html"'),
        ([("content-disposition", "INLINE")], "attachment"),
        ([("content-disposition", 'attachment; filename="inline"')], 'attachment; filename="inline"'),
    ],
)
def test_an_uploaded_page_is_not_shown_on_the_sites_own_origin(said: list[tuple[str, str]], sent: str) -> None:
    """Django, Flask and Litestar say "inline" of a file that has a name, and nobody asked them to."""
    found = [value for name, value in _opened().headers(200, said) if name.lower() == "content-disposition"]
    assert found == [sent]


def test_what_the_application_says_is_left_alone_where_the_gate_is_told_so() -> None:
    """`attachment=False`; and an error's page is no file."""
    said = [("content-disposition", "inline")]
    assert said[0] in _opened(attachment=False).headers(200, said)
    assert said[0] in _opened().headers(404, said)


def test_a_name_that_the_gate_does_not_know_is_refused() -> None:
    """A misspelt `resmue` must not pass for a wish that was heard."""
    with pytest.raises(TypeError, match="resmue"):
        GateSettings(resmue=5)  # type: ignore[call-arg]
