"""Reading back what was told, as an exporter gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from coatcheck import AsyncSessionManager
from coatcheck.telemetry import instrument, names


class Told:
    """An application's SDK, and what it was told."""

    def __init__(self) -> None:
        self._reader, self._spans = InMemoryMetricReader(), InMemorySpanExporter()
        self.meters = MeterProvider([self._reader])
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))

    def instrument(self, manager: AsyncSessionManager, **settings: Any) -> Callable[[], None]:
        """Have a manager, or a kit's, tell this SDK."""
        return instrument(getattr(manager, "subject", manager), self.meters, self.tracers, **settings)

    def points(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """Each metric's name, with the attributes and the value of each of its points."""
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = point.count if isinstance(point, HistogramDataPoint) else getattr(point, "value", None)
                        yield metric.name, dict(point.attributes or {}), value

    def of(self, name: str, attribute: str | None = None, namespace: str | None = None) -> dict[Any, Any]:
        """The values of a metric that are not 0, by one of its attributes."""
        attribute = attribute or names.COUNTERS[name].attribute
        return {
            attributes.get(attribute): value
            for there, attributes, value in self.points()
            if there == name and value and namespace in (None, attributes[names.NAMESPACE])
        }

    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans that are over."""
        return tuple(self._spans.get_finished_spans())

    def close(self) -> None:
        """Shut the SDK down."""
        self.meters.shutdown()
        self.tracers.shutdown()
