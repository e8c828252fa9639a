"""Counting sessions by age and by browser, of a part and of two stores."""

from __future__ import annotations

import pytest

from coatcheck.browsers import browser, system
from coatcheck.record import Record
from coatcheck.store import Ages, Stats
from coatcheck.tally import Tally, rounded, sampled, scaled, together
from tests.records import DAY, NOW, record

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/121.0"


def some() -> list[Record]:
    """One session of each age; three of a browser that is known."""
    ages = (0.0, 3600.0, 3601.0, 7 * DAY, 29 * DAY, 31 * DAY)
    agents = (FIREFOX, FIREFOX, FIREFOX, "a robot", None, None)
    return [record("ada", at=NOW - age, user_agent=agent) for age, agent in zip(ages, agents, strict=True)]


def counted(records: list[Record]) -> Stats:
    """Of all of these."""
    tally = Tally(NOW)
    for one in records:
        tally.add(one)
    return tally.stats(tombstones=2, tickets=1)


def test_sessions_are_counted_by_age_and_by_browser() -> None:
    """Each in one group: the groups add up."""
    found = counted([*some(), record(at=NOW + 5)])
    assert found.ages == Ages(hour=3, day=1, week=1, month=1, older=1)
    assert found.clients == {"Firefox": 3, "none": 3, "other": 1}
    assert (found.sessions, found.authenticated, found.users) == (7, 6, 1)
    assert (found.sampled, found.exact) == (7, True)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, ("Firefox", "Linux")),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0", ("Edge", "Windows")),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", ("Safari", "iPhone")),
        ("<script>", (None, None)),
        ("", (None, None)),
    ],
)
def test_a_user_agent_is_one_of_a_handful_of_names(agent: str, words: tuple[str | None, str | None]) -> None:
    """Whatever a client sends, a page of counts stays short, and none of the client's words is a name in it."""
    assert (browser(agent), system(agent)) == words


def test_a_part_is_scaled_up_to_a_whole_that_adds_up() -> None:
    """Rounding loses nobody; nothing met is nothing told."""
    assert scaled({"a": 1, "b": 1, "c": 1}, 100) == {"a": 33, "b": 34, "c": 33}
    assert scaled({}, 100) == {}
    assert scaled({"a": 0}, 100) == {"a": 0}
    found = sampled(Stats(1000, 500, 400, 3, 2, 77), some(), NOW)
    assert found.ages is not None
    assert found.clients is not None
    assert sum(found.ages) == sum(found.clients.values()) == 1000
    assert (found.sampled, found.exact, found.size) == (6, True, 77)


def test_two_stores_count_as_one_without_the_marks_of_a_move() -> None:
    """A record that says what was moved where is a session in neither count."""
    flag = record(at=NOW - 2 * DAY)
    found = together(counted([*some(), flag]), counted([*some(), flag]), [flag, flag], NOW)
    assert found == counted(some() * 2)._replace(users=2, tombstones=4, tickets=2)
    part = counted(some())._replace(exact=False, size=5)
    assert not together(part, counted(some()), [], NOW).exact
    assert together(part, counted(some()), [], NOW).size is None


def test_an_estimate_has_three_digits() -> None:
    """More would say that it is known."""
    assert [rounded(count) for count in (0, 7, 999, 1234, 1_003_097)] == [0, 7, 999, 1230, 1_000_000]
