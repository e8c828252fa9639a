"""The dashboard and the alarms in docs/ ask for what is told, under the names that Prometheus gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY

from coatcheck import SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.telemetry import instrument, names
from coatcheck.testing.kit import KEY

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = json.loads((DOCS / "grafana/coatcheck.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
ALARMS = re.findall(r"^ *expr: (.+)$", (DOCS / "observability.md").read_text(), re.MULTILINE)
VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$namespace": "shop"}


def down(*_: object) -> None:
    """A store that does not answer."""
    message = "down"
    raise StoreUnavailable(message)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The samples that Prometheus scrapes, with their labels."""
    meters = MeterProvider([PrometheusMetricReader()])
    url = f"sqlite:///{tmp_path_factory.mktemp('dashboard')}/s.db"
    with SessionManager(url, secret=KEY, near_cache=True) as manager:
        store: Any = manager.store
        vars(store)["taken"] = down  # a call that fails has a label more
        stop = instrument(manager, meters, live_sessions=True)
        session = manager.load(None)
        session.login("ada")
        token = manager.commit(session).token
        manager.tickets.issue("download", {}, session=session, ttl=timedelta(minutes=2))
        assert manager.load(token).user_id == "ada"
        with pytest.raises(StoreUnavailable):
            manager.store.taken(str(session.handle), "x", 0.0)
        found: dict[str, set[str]] = {}
        for family in REGISTRY.collect():
            for sample in family.samples if family.name.startswith("coatcheck") else ():
                found.setdefault(sample.name, set()).update(sample.labels)
        stop()
    meters.shutdown()
    return found


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """What a query asks for: each sample's name, with the labels that it looks at."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    found: list[promql.VectorSelector] = []
    grouped: set[str] = set()

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)
        return True

    promql.walk(promql.parse(query), visit)
    for one in found:
        yield str(one.name), {matcher.name for matcher in one.matchers.matchers} | grouped


@pytest.mark.parametrize(("title", "query"), [*QUERIES, *((f"alarm {n}", query) for n, query in enumerate(ALARMS))])
def test_every_query_asks_for_samples_and_labels_that_are_exported(
    title: str, query: str, exported: dict[str, set[str]]
) -> None:
    """A panel that is empty because a name was changed looks like a quiet day."""
    asked = [*selectors(query)]
    assert asked
    for name, labels in asked:
        assert name in exported, name
        assert labels <= exported[name], f"{name}: {labels - exported[name]}"


def test_every_metric_is_on_the_dashboard(exported: dict[str, set[str]]) -> None:
    """Nothing is told that nobody would see."""
    shown = {name for _, query in QUERIES for name, _ in selectors(query)}
    told = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in exported}
    assert told == {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}


def test_values_that_queries_look_for_are_values_that_exist(exported: dict[str, set[str]]) -> None:
    """A reason that was renamed would be a panel at zero for ever."""
    known = {kind.attribute.replace(".", "_"): {*kind.values} for kind in names.COUNTERS.values()}
    known[names.OPERATION.replace(".", "_")] |= {*names.READS}
    looked_for = re.findall(r'(coatcheck_\w+) *= *"(\w+)"', " ".join([*(query for _, query in QUERIES), *ALARMS]))
    assert looked_for
    assert [pair for pair in looked_for if pair[1] not in known[pair[0]]] == []


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    """Each panel has a place of its own and asks the data source that is chosen on top."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len({*ids}) == len(ids)
    assert {str(panel["datasource"]["uid"]) for panel in PANELS} == {"${datasource}"}
    places = {
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in DASHBOARD["panels"])
    (namespace,) = (one for one in DASHBOARD["templating"]["list"] if one["name"] == "namespace")
    assert namespace["query"] == "label_values(coatcheck_session_loads_total, coatcheck_namespace)"
