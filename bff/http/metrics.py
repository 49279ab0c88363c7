"""What Prometheus may know of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bff.http.stats import Stats
from bff.stores.base import EventStore
from contract.errors import Unavailable
from contract.states import ExecutionStatus

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """Counts requests, and reads the rest when it is asked for.

    Args:
        store: counts executions.
        stats: the sockets' side.
    """

    def __init__(self, store: EventStore, stats: Stats) -> None:
        self._store = store
        self._stats = stats
        self._requests = Counter(
            "runroom_http_requests",
            "HTTP requests answered",
            ("method", "route", "status"),
            registry=None,
        )

    def count(self, method: str, route: str | None, status: int) -> None:
        """Note a request that was answered; `route` is None for an unknown path."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or "unknown", str(status)).inc()

    async def render(self) -> bytes:
        """Everything in Prometheus' text form."""
        try:
            counts = await self._store.counts(tenant=None)
        except Unavailable:
            counts = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._requests)
        registry.register(_Live(self._stats(), counts))
        return generate_latest(registry)


class _Live(Collector):
    """What is true at this moment."""

    def __init__(
        self, live: Mapping[str, Any], counts: Mapping[ExecutionStatus, int] | None
    ) -> None:
        self._live = live
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        live = self._live
        yield _gauge("connections", "Open connections", live["connections"])
        yield _gauge("subscriptions", "Subscriptions of viewers", live["subscriptions"])
        yield _gauge("executors", "Executors connected", len(live["executors"]))
        events = CounterMetricFamily("runroom_events", "Events stored since the start")
        events.add_metric((), live["eventsTotal"])
        yield events
        yield _gauge("store_up", "1 if the event store answers", int(self._counts is not None))
        if self._counts is not None:
            executions = GaugeMetricFamily(
                "runroom_executions", "Executions kept, by status", labels=("status",)
            )
            for status in ExecutionStatus:
                executions.add_metric((status.value,), self._counts.get(status, 0))
            yield executions


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"runroom_{name}", text, value)
