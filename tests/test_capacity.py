"""What `make bench-capacity` computes: the arithmetic on cases that are solved by hand, and the page that it made."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from bench.capacity import traffic
from bench.capacity.effort import Lap, cost, measure
from bench.capacity.figures import Cost, Figures, Weight, dump, load
from bench.capacity.near import Crowd, Simulated
from bench.capacity.page import FIGURES, PAGE, PICTURE, by_hand, page
from bench.capacity.requests import Requests
from bench.capacity.servers import SQLiteFile
from bench.capacity.sizing import GIB, needs, over_budget
from bench.capacity.traffic import SHARES, Mix
from bench.capacity.weigh import solve, weigh
from bench.visits import Wrong, ask

WEIGHT = Weight(anonymous=1_000, session=2_000, user=500)
COSTS = {name: Cost(app=0, store=0) for name in ("read", *SHARES)} | {
    "read": Cost(app=100, store=10),
    "write": Cost(app=1_000, store=200),
}
MIX = Mix(
    sessions=2,
    anonymous=0.5,
    requests=86.4,
    peak=5,
    room=2,
    load=0.5,
    redis_load=0.5,
    redis_gib=1_000,
    **dict.fromkeys(SHARES, 0) | {"write": 0.1},
)
"""Per million users: 1000 requests a second in the mean, 5000 at the peak; nine reads to a write."""

FIGURE = Figures(
    "a machine",
    sessions=10,
    rounds=2,
    lap=3,
    data=910,
    weights={"redis": {100: Weight(100, 200, 30, plain=150), 1_100: Weight(1_100, 2_200, 30, plain=1_100)}},
    costs={"redis": {1: COSTS}},
    near=Simulated(Crowd(), 1, 1, {"random": {4: {1_000: 0.5}}}),
)


def test_needs_are_those_of_a_case_solved_by_hand() -> None:
    """A million users: bytes 2M x 2000 + 0.5M x 1000 + 1M x 500; a second 4500 reads and 500 writes."""
    found = needs("postgresql", 1_000_000, MIX, WEIGHT, COSTS)
    assert (found.sessions, found.bytes) == (2_500_000, 5_000_000_000)
    assert found.requests == pytest.approx(5_000)
    assert found.app == pytest.approx(4_500 * 100e-6 + 500 * 1_000e-6)  # 0.95 of a core, at most half busy: two
    assert found.store == pytest.approx(4_500 * 10e-6 + 500 * 200e-6)  # 0.145
    assert (found.app_cores, found.store_cores, found.primaries) == (2, 1, 0)


def test_a_redis_is_divided_by_processor_or_by_memory_whichever_asks_for_more() -> None:
    """One core each, half busy: 1.45 of a core is three primaries; 100 GB with its room in pieces of 20 GiB
    is five. A cluster has three at least."""
    assert needs("cluster", 10_000_000, MIX, WEIGHT, COSTS).primaries == 3
    assert 4 < 50e9 * 2 / GIB / 20 < 5
    assert needs("cluster", 10_000_000, replace(MIX, redis_gib=20), WEIGHT, COSTS).primaries == 5
    few = {store: needs(store, 1_000, MIX, WEIGHT, COSTS).primaries for store in ("redis", "cluster", "sqlite")}
    assert few == {"redis": 1, "cluster": 3, "sqlite": 0}


def test_a_near_cache_spares_the_store_its_reads_and_nothing_else() -> None:
    """Half of the reads: 0.145 of a core becomes 0.1225; writes, memory and the application stay."""
    without = needs("redis", 1_000_000, MIX, WEIGHT, COSTS)
    with_ = needs("redis", 1_000_000, replace(MIX, near=0.5), WEIGHT, COSTS)
    assert with_.store == pytest.approx(0.1225)
    assert with_ == without._replace(store=with_.store)


def test_users_without_a_session_have_no_index() -> None:
    """Of a million users with half a session each, half a million are indexed."""
    found = needs("redis", 1_000_000, replace(MIX, sessions=0.5, anonymous=0), WEIGHT, COSTS)
    assert found.bytes == 500_000 * 2_000 + 500_000 * 500


def test_sessions_and_users_are_told_apart() -> None:
    """1000 sessions of 300 bytes: with 1000 users of 50 bytes, and with 200."""
    assert solve(350_000, 310_000, 1_000, 5) == pytest.approx((300, 50))


def test_a_request_costs_what_its_laps_take_beside_the_bare_page() -> None:
    """Ten requests a lap: the application's median less the bare page's; the store's mean, with its rare bursts."""
    laps = [Lap(0.002, 0.0), Lap(0.003, 0.0), Lap(0.009, 0.006)]
    assert cost(laps, bare_app=0.001, lap=10) == pytest.approx((200, 200))


@pytest.mark.parametrize(
    "wrong",
    [{"write": 0.9}, {"write": -0.1}, {"near": 1.1}, {"load": 0}, {"room": 0.5}, {"visitor": 1}, {"requests": 0}],
    ids=str,
)
def test_a_day_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    """Shares that are more than all requests, or below none; a core that may not work."""
    with pytest.raises(ValueError, match=r"share|above zero|somebody"):
        Mix(**wrong)


def test_the_usual_day_is_whole() -> None:
    """The shares are all requests, and each assumption is an option with a text."""
    assert sum(Mix().shares().values()) == pytest.approx(1)
    parser = argparse.ArgumentParser()
    traffic.add_arguments(parser)
    assert traffic.from_options(parser.parse_args([])) == Mix()
    options = parser.parse_args(["--share-write", "0.2", "--data", "300"])
    assert traffic.from_options(options) == Mix(write=0.2, data=300)


def test_data_between_two_sizes_is_on_the_line_between_them() -> None:
    """Halfway, and no guess outside of what was measured."""
    assert FIGURE.weight("redis", 600)[:3] == pytest.approx((600, 1_200, 30))
    assert FIGURE.weight("redis", 100) == FIGURE.weights["redis"][100]
    with pytest.raises(ValueError, match="100 to 1100 were measured"):
        FIGURE.weight("redis", 1_101)


def test_a_redis_over_its_budget_is_told() -> None:
    """1.3 times the plain string and 400 bytes: 595 for the small session, 1830 for the large one, which has 2230."""
    assert over_budget(FIGURE) == ["1100 bytes: 2230, and 1830 are allowed"]


def test_figures_come_back_from_their_file() -> None:
    """The page is computed from the file, so nothing may change on the way."""
    assert load(dump(FIGURE)) == FIGURE


def test_the_worked_example_shows_the_numbers_it_is_made_of() -> None:
    """A reader can repeat it: 2M x 1820 + 0.5M x 910 + 1M x 30, and so on."""
    text = by_hand(FIGURE, "redis", 1_000_000, MIX)
    assert "2,000,000 x 1820 + 500,000 x 910 + 1,000,000 x 30 = 4,125,000,000" in text
    assert "1,000,000 x 86.4 / 86,400 x 5 = 5,000 a second" in text
    assert "5,000 x 190.0 / 1,000,000 = 0.95 busy cores; / 0.5, rounded up: 2" in text


def test_the_page_says_what_its_figures_say() -> None:
    """Nobody has changed one by hand; the picture is there."""
    assert PAGE.read_text() == page(load(FIGURES.read_text()), Mix())
    assert PICTURE.read_text().startswith("<?xml")


def test_a_store_is_really_weighed(tmp_path: Path) -> None:
    """A file that was filled: more data weighs more, and a user takes something."""
    found = weigh(SQLiteFile(tmp_path), 1_000, lambda _: None)
    small, *_, large = (found[size] for size in sorted(found))
    assert 300 < small.anonymous < small.session < large.session
    assert min(found) < small.session
    assert small.user > 0


async def test_each_class_of_request_does_what_it_is_measured_for(tmp_path: Path) -> None:
    """Over a file: every answer, cookie and stored session is as that class has it, and each takes its time."""
    found = await measure(SQLiteFile(tmp_path), rounds=1, lap=4, tell=lambda _: None, flights=(2,))
    assert set(found[2]) == {"read", *SHARES}
    assert all(one.app > 0 and one.store == 0 for name, one in found[2].items() if name != "visitor")


async def test_a_request_that_does_nothing_is_found_out(tmp_path: Path) -> None:
    """A session that was only read is neither touched, written nor ended, and has no cookie to give."""
    requests = Requests(SQLiteFile(tmp_path).url)
    try:
        (visit,) = requests.visits("read", 1)
        await ask(requests.apps["read"], visit, sets_cookie=False)
        for name in ("touch", "write", "logout"):
            with pytest.raises(Wrong, match=name):
                requests.prove(name, visit)
        with pytest.raises(Wrong):
            await ask(requests.apps["read"], visit, sets_cookie=True)
    finally:
        await requests.close()
