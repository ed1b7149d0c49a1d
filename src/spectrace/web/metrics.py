"""What the server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from spectrace.detectors.detection import Verdict
from spectrace.web.slots import Slots
from spectrace.web.uploads import Held

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counts of one server.

    Args:
        model: that looks at the pictures, ``id@version``.
        slots: read whenever the figures are.
        held: read whenever the figures are.
    """

    def __init__(self, model: str, slots: Slots, held: Held) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "spectrace_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "spectrace_request_duration_seconds",
            "From a request's first bytes to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pictures = Counter(
            "spectrace_pictures", "Pictures looked at.", ["verdict"], registry=self._registry
        )
        Info("spectrace_model", "The model in use.", registry=self._registry).info({"model": model})
        for name, words, read in (
            (
                "spectrace_requests_working",
                "Requests whose pictures are being looked at.",
                lambda: slots.working,
            ),
            ("spectrace_requests_waiting", "Requests that wait for a thread.", lambda: slots.waiting),
            ("spectrace_held_bytes", "Bytes of requests and answers in memory.", lambda: held.bytes),
        ):
            Gauge(name, words, registry=self._registry).set_function(read)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def picture(self, verdict: Verdict | None) -> None:
        """Count a picture; None for one that could not be read."""
        self._pictures.labels("unreadable" if verdict is None else verdict.value).inc()

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
