"""Two processes over one store, one of them stopped at every point that it comes to: every pair, both orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import table
from tests.processes.pairs import PAIRS
from tests.processes.scene import Pair, Place, staged

STORES = [
    "sqlite",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("postgresql", marks=pytest.mark.postgresql),
]


@pytest.fixture(scope="module", params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    """Which store."""
    return str(request.param)


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where it is; a server is started only for its own."""
    if kind == "postgresql":
        return f"{request.getfixturevalue('postgres_server').url}?create=1"
    if kind == "redis":
        return table.database(request.getfixturevalue("redis_server"))
    return f"sqlite:///{tmp_path_factory.mktemp('races')}/sessions.db"


@pytest.fixture(scope="module")
def place(url: str) -> Iterator[Place]:
    """Two workers over it."""
    with staged(url) as place:
        yield place


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.one}-{pair.other}".replace(" ", "_"))
def test_every_order_of_two_operations_keeps_what_is_promised(place: Place, pair: Pair) -> None:
    """Judged after each order; and docs/races.md says what was seen."""
    assert table.cell_on_page(pair) == table.cell(place, pair)


def test_the_page_lists_these_pairs() -> None:
    """docs/races.md is what `python -m tests.processes.table --write` makes of it."""
    assert table.race_table(table.cell_on_page) == table.part("table")


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("upsert", ("write", "write of another field")),
        ("upsert", ("write", "logout")),
        ("deferred", ("write", "write of the same field")),
        ("deferred", ("redeem", "redeem")),
        pytest.param("unversioned", ("write", "write of another field"), marks=pytest.mark.redis),
        pytest.param("unversioned", ("write", "revoke_user"), marks=pytest.mark.redis),
        pytest.param("ungated", ("login", "revoke_user"), marks=pytest.mark.redis),
        pytest.param("unmarked", ("redeem", "redeem"), marks=pytest.mark.redis),
        pytest.param("blind", ("write", "write of another field"), marks=pytest.mark.postgresql),
        pytest.param("unbarred", ("login", "revoke_user"), marks=pytest.mark.postgresql),
        pytest.param("unlocked", ("login", "revoke_user"), marks=pytest.mark.postgresql),
        pytest.param("unlocked", ("rotate", "revoke_user"), marks=pytest.mark.postgresql),
    ],
)
def test_a_store_without_its_guard_is_caught(
    request: pytest.FixtureRequest, tmp_path: Path, fault: str, names: tuple[str, str]
) -> None:
    """The harness can fail: each guard of the stores that is switched off is missed by a pair."""
    if fault in {"blind", "unbarred", "unlocked"}:
        url = f"{request.getfixturevalue('postgres_server').url}?create=1"
    elif fault in {"upsert", "deferred"}:
        url = f"sqlite:///{tmp_path}/sessions.db"
    else:
        url = table.database(request.getfixturevalue("redis_server"))
    [pair] = [pair for pair in PAIRS if (pair.one, pair.other) == names]
    with staged(url, fault) as place, pytest.raises(AssertionError):
        table.cell(place, pair)
