"""A manager that is not instrumented is not touched, and one that was is as before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.connect import OwnSecret
from coatcheck.errors import ConfigurationError
from coatcheck.feed import Feeds
from coatcheck.health import Checkable
from coatcheck.integrations.flask import Coatcheck, manager_from, session_from
from coatcheck.moves import AsyncMovable, Movable
from coatcheck.store import AsyncMeets, Meets
from coatcheck.telemetry import instrument, names
from coatcheck.telemetry.board import board
from coatcheck.telemetry.timed import Timed
from coatcheck.testing.kit import KEY

from .telling import Told

KINDS = [SessionManager, AsyncSessionManager]
PROTOCOLS = (OwnSecret, Feeds, Checkable, Movable, AsyncMovable, Meets, AsyncMeets)


def state(manager: Any) -> dict[str, Any]:
    """All that a request meets: a manager's own attributes, its store's and its near cache's methods."""
    near = manager.hearing.near
    return {**vars(manager), "_events": None, "of near": near is not None and "get" in vars(near)}


@pytest.mark.parametrize("kind", KINDS)
def test_uninstrumented_a_manager_is_as_before(kind: Any, told: Told, tmp_path: Path) -> None:
    """Nothing is left on the way of a request; stopping twice is harmless, also to who began again in between."""
    manager = kind(f"sqlite:///{tmp_path}/s.db", secret=KEY, near_cache=True)
    before = state(manager)
    stop = told.instrument(manager)
    during = state(manager)
    assert {name for name in during if during[name] is not before.get(name)} == {"store", "load", "of near"}
    stop()
    assert state(manager) == before
    again = told.instrument(manager)
    stop()
    assert type(manager.store) is Timed
    again()
    assert state(manager) == before
    assert manager._events._subscribers == manager._events._subscribers[:1]


def test_a_manager_beside_it_is_not_touched(told: Told) -> None:
    """What is instrumented is one manager, not its class."""
    with (
        SessionManager("memory://", secret=KEY, namespace="one") as one,
        SessionManager("memory://", secret=KEY, namespace="two") as two,
    ):
        told.instrument(one)  # type: ignore[arg-type]
        two.load(None)
        assert "load" not in vars(two)
        assert told.of(names.LOADS) == {}


def test_a_manager_is_instrumented_once(told: Told) -> None:
    """Twice over, each request would be counted twice."""
    with SessionManager("memory://", secret=KEY, namespace="once") as manager:
        stop = told.instrument(manager)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="is instrumented"):
            instrument(manager, told.meters)
        stop()
        manager.load(None)
        told.instrument(manager)  # type: ignore[arg-type]
        manager.load(None)
        assert told.of(names.LOADS) == {"anonymous": 1}


def test_counts_go_on_where_a_manager_comes_again(told: Told) -> None:
    """A counter that fell back would look like a restart."""
    with SessionManager("memory://", secret=KEY, namespace="again") as manager:
        for number in (1, 2):
            stop = told.instrument(manager)  # type: ignore[arg-type]
            manager.load(None)
            stop()
            assert told.of(names.LOADS) == {"anonymous": number}


def test_every_counter_begins_at_nothing(told: Told) -> None:
    """Else the first theft after a start is no increase to an alarm. There are few, however many come."""
    with SessionManager("memory://", secret=KEY, namespace="first") as manager:
        told.instrument(manager)  # type: ignore[arg-type]
        found = {
            (name, attributes.get(names.COUNTERS[name].attribute)): value for name, attributes, value in told.points()
        }
    assert len(found) < 40
    assert found[names.ENDS, "stolen"] == found[names.REFUSALS, "csrf"] == 0


def test_a_child_of_fork_tells_only_of_itself(told: Told) -> None:
    """What was counted before is its parent's to tell: together they would tell it twice."""
    with SessionManager("memory://", secret=KEY, namespace="forks") as manager:
        told.instrument(manager)  # type: ignore[arg-type]
        manager.load(None)
        board(told.meters).forked()
        assert told.of(names.LOADS) == {}
        manager.load(None)
        assert told.of(names.LOADS) == {"anonymous": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_timed_store_is_all_that_the_store_was(kind: Any, told: Told, url: str) -> None:
    """A manager asks it whether it has a clock and a feed: one that was not asked for its clock would judge lifetimes
    by the wrong one."""
    manager = kind(url, secret=KEY, namespace="all")
    inner = manager.store
    stop = told.instrument(manager)
    assert [isinstance(manager.store, one) for one in PROTOCOLS] == [isinstance(inner, one) for one in PROTOCOLS]
    assert isinstance(manager.store, type(inner))
    for name in dir(inner):
        if not name.startswith("_"):
            assert hasattr(manager.store, name), name
    stop()


def test_an_instrumented_manager_still_measures_its_stores_clock(told: Told, redis_url: str) -> None:
    """As it meets it, at the first request."""
    with SessionManager(redis_url, secret=KEY) as manager:
        inner: Any = manager.store
        met = list[str]()
        measure = inner.meet

        def meet() -> None:
            met.append("met")
            measure()

        vars(inner)["meet"] = meet
        told.instrument(manager)  # type: ignore[arg-type]
        manager.revoke_user("nobody")
        assert met == ["met"]
        assert manager.store.offset == inner.offset


def test_nothing_loads_opentelemetry_until_it_is_asked_for() -> None:
    """Nor does a manager, nor a middleware."""
    code = (
        "import sys, coatcheck.integrations.asgi, coatcheck; coatcheck.SessionManager('memory://', secret='"
        + KEY
        + "'); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'coatcheck.telemetry'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_opentelemetry_the_remedy_is_named() -> None:
    """As for every extra."""
    code = "import sys; sys.modules['opentelemetry'] = None; import coatcheck.telemetry"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "coatcheck[otel]"' in done.stderr


GLOBAL = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from coatcheck import SessionManager
from coatcheck.telemetry import instrument

reader = InMemoryMetricReader()
for name in ("early", "late"):
    manager = SessionManager("memory://", secret="x" * 16 + "y" * 16 + name, namespace=name)
    instrument(manager)
    if name == "early":
        metrics.set_meter_provider(MeterProvider([reader]))
    manager.load(None)
(resource,) = reader.get_metrics_data().resource_metrics
(loads,) = (one for one in resource.scope_metrics[0].metrics if one.name == "coatcheck.session.loads")
print(*sorted(one.attributes["coatcheck.namespace"] for one in loads.data.data_points if one.value == 1))
"""


def test_the_global_provider_may_be_set_before_or_after() -> None:
    """An SDK takes the first instrument of a name and ignores the next: both managers have to be on that one."""
    done = subprocess.run([sys.executable, "-c", GLOBAL], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["early", "late"]


def test_the_manager_that_a_framework_has_made_is_instrumented_as_any(told: Told) -> None:
    """Flask's, for one: what serves requests is that manager, not a copy."""
    app = Flask("told")
    app.config.update(COATCHECK_STORE="memory://", COATCHECK_SECRET=KEY, COATCHECK_NAMESPACE="flask-told")
    Coatcheck(app)

    @app.post("/login")
    def login() -> str:
        session_from().login("ada")
        return "in"

    told.instrument(manager_from(app))  # type: ignore[arg-type]
    client = app.test_client()
    assert client.post("/login").status_code == 200
    assert client.post("/login", headers={"Origin": "https://evil.example"}).status_code == 403
    assert told.of(names.LOADS) == {"anonymous": 1}
    assert told.of(names.WRITES) == {"login": 1}
    assert told.of(names.REFUSALS) == {"csrf": 1}
