"""Events reach whoever listens, on one line each, whatever a subscriber or an attacker does."""

from __future__ import annotations

import logging

import pytest

from coatcheck import Event
from coatcheck.events import Events


def test_each_subscriber_is_told_until_it_stops() -> None:
    """In the order of their subscription; stopping twice is harmless, and stops nobody else."""
    events, told = Events(), list[str]()
    stop = events.subscribe(lambda event: told.append(f"first {event.name}"))
    events.subscribe(lambda event: told.append(f"second {event.name}"))
    events.emit(Event("created", 0.0))
    stop()
    stop()
    events.emit(Event("ended", 0.0))
    assert told == ["first created", "second created", "second ended"]


def test_a_subscriber_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the request nor the next subscriber: it is logged."""
    events, told = Events(), list[Event]()

    def broken(event: Event) -> None:
        raise RuntimeError(event.name)

    events.subscribe(broken)
    events.subscribe(told.append)
    events.emit(Event("ended", 0.0, handle="h"))
    assert [event.handle for event in told] == ["h"]
    assert "a subscriber of Coatcheck's events raised at ended" in caplog.text


def test_a_subscriber_may_subscribe_and_stop_while_it_is_told() -> None:
    """The event under way reaches those who listened when it began."""
    events, told = Events(), list[str]()

    def once(event: Event) -> None:
        told.append(event.name)
        stop()
        events.subscribe(lambda later: told.append(f"later {later.name}"))

    stop = events.subscribe(once)
    events.emit(Event("created", 0.0))
    events.emit(Event("ended", 0.0))
    assert told == ["created", "later ended"]


def test_a_user_id_or_a_reason_cannot_forge_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """A line break in either is escaped (ASVS 16.4.1)."""
    caplog.set_level(logging.DEBUG, "coatcheck")
    Events().emit(Event("ended", 0.0, "h", "eve\nWARNING root logged in", "x\r\ny\x1b[2J", {"from": "a"}))
    (record,) = caplog.records
    message = record.getMessage()
    assert message.isprintable()
    assert message == r"ended session=h user='eve\nWARNING root logged in' reason='x\r\ny\x1b[2J' from=a"


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Event("created", 0.0), logging.DEBUG),
        (Event("ended", 0.0, reason="logout"), logging.INFO),
        (Event("ended", 0.0, reason="stolen"), logging.WARNING),
        (Event("login_refused", 0.0), logging.WARNING),
        (Event("authenticated", 0.0), logging.INFO),
        (Event("late_write", 0.0), logging.WARNING),
    ],
    ids=lambda value: value.name if isinstance(value, Event) else str(value),
)
def test_what_an_operator_must_see_is_a_warning(caplog: pytest.LogCaptureFixture, event: Event, level: int) -> None:
    """A theft above all; daily business is not. The record carries the event itself."""
    caplog.set_level(logging.DEBUG, "coatcheck")
    Events().emit(event)
    (record,) = caplog.records
    assert record.levelno == level
    assert vars(record)["coatcheck"] is event
