"""The simulated near cache, on traffic whose hits can be counted by hand."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import pytest

from bench.capacity.near import Ask, Crowd, hit_rate, simulate, traffic

SMALL = Crowd(users=200, requests=100, warm_up=600, seconds=3_000, seed=7)


def asked(*sessions: int, changes: Collection[int] = ()) -> list[Ask]:
    """One request a second; those at the places in `changes` change their session."""
    return [Ask(float(at), session, at in changes) for at, session in enumerate(sessions)]


def rate(asks: list[Ask], entries: int = 10, **settings: float) -> float:
    """One process, unless said otherwise."""
    return hit_rate(asks, **{"processes": 1, "entries": entries, "sticky": True} | settings)  # type: ignore[arg-type]


def test_the_first_load_misses_and_the_others_hit() -> None:
    """Ten requests of one session: nine hits."""
    assert rate(asked(*[1] * 10)) == 0.9


def test_a_change_makes_the_next_load_miss() -> None:
    """Of ten, the first misses, and those after the changes at 3 and 6."""
    assert rate(asked(*[1] * 10, changes=(3, 6))) == 0.7


def test_what_was_read_longest_ago_goes_first() -> None:
    """Two by turns: one entry never answers, two always do; in 1 2 1 3 2 1 it is 1 that has to go."""
    assert rate(asked(*[1, 2] * 5), entries=1) == 0.0
    assert rate(asked(*[1, 2] * 5), entries=2) == 0.8
    assert rate(asked(1, 2, 1, 3, 2, 1), entries=2) == pytest.approx(2 / 6)


def test_an_entry_serves_for_ten_seconds_however_often_it_is_asked() -> None:
    """One request a second: the loads at 0, 10 and 20 miss."""
    assert rate(asked(*[1] * 30)) == 0.9


def test_a_change_reaches_the_caches_of_all_processes() -> None:
    """Eight processes each miss once before the change in the middle, and once after it."""
    asks = asked(*[1] * 2_000, changes=(1_000,))
    assert rate(asks, processes=8, sticky=False, life=math.inf) == 1 - 16 / 2_000


def test_random_balancing_costs_a_miss_in_each_process() -> None:
    """One session that never changes: as many misses as processes, once each has been asked."""
    asks = asked(*[1] * 1_000)
    assert rate(asks, processes=8, sticky=False, life=math.inf) == 0.992
    assert rate(asks, processes=8, sticky=True, life=math.inf) == 0.999


def test_random_balancing_is_as_probability_says() -> None:
    """Ten loads between two changes, over four processes: 4 (1 - (3/4)^10) of them miss, in the mean."""
    asks = asked(*[1] * 50_000, changes=range(9, 50_000, 10))
    expected = 1 - 4 * (1 - 0.75**10) / 10
    assert rate(asks, processes=4, sticky=False, life=math.inf) == pytest.approx(expected, abs=0.01)


def test_a_cache_that_is_cut_off_begins_anew() -> None:
    """Every four seconds: the loads at 0, 4 and 8 miss."""
    assert rate(asked(*[1] * 10), cut=4.0) == 0.7


def test_the_warm_up_does_not_count() -> None:
    """From the second load on all hit; nothing asked is no rate."""
    assert rate(asked(*[1] * 10), since=1.0) == 1.0
    with pytest.raises(ValueError, match="nothing was asked"):
        rate(asked(1), since=5.0)


def test_the_traffic_is_the_crowd_that_was_asked_for() -> None:
    """About as many requests as users make at the peak, most of them of the first ranks; the same for one seed."""
    asks = traffic(SMALL)
    expected = SMALL.users * SMALL.requests * SMALL.peak / 86_400 * 3_600
    assert len(asks) == pytest.approx(expected, rel=0.2)
    assert sum(ask.changes for ask in asks) / len(asks) == pytest.approx(SMALL.changes, rel=0.2)
    ranks = [ask.session for ask in asks]
    assert ranks.count(0) > 5 * ranks.count(150)
    assert asks == sorted(asks)
    assert traffic(SMALL) == asks != traffic(replace(SMALL, seed=8))


def test_a_session_is_kept_up_once_in_its_interval() -> None:
    """Without any other change, visits of an hour touch a session every ten minutes."""
    asks = traffic(replace(SMALL, users=1, requests=4_000, changes=0, upkeep=600))
    assert sum(ask.changes for ask in asks) in range(4, 7)


def test_more_entries_and_fewer_processes_never_hurt() -> None:
    """As in the page's picture; and the same numbers every time."""
    found = simulate(SMALL, lambda _: None)
    assert found == simulate(SMALL, lambda _: None)
    for by_processes in found.rates.values():
        for by_entries in by_processes.values():
            assert list(by_entries.values()) == sorted(by_entries.values())
    at_most = [by_entries[10_000] for by_entries in found.rates["random"].values()]
    assert at_most == sorted(at_most, reverse=True)
