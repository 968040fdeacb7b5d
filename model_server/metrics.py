"""Prometheus metrics of the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
_ROWS = (1, 2, 3, 6, 9, 12, 18, 24, 36, 48, 96)


class Metrics:
    """The server's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "lookalike_calls_total",
            "Calls by method and code.",
            ["method", "code"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "lookalike_call_seconds",
            "Seconds of a call.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "lookalike_stage_seconds",
            "Seconds of a stage of the pipeline.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._decoder_rows = Histogram(
            "lookalike_decoder_rows",
            "Beams in one step of a caption decoder.",
            ["model"],
            buckets=_ROWS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "lookalike_photos_in_flight", "Photos worked on or waiting.", registry=self.registry
        )
        self._ready = Gauge("lookalike_ready", "1 once models are loaded.", registry=self.registry)

    def observe_call(self, method: str, code: str, seconds: float) -> None:
        """Counts a call that has ended."""
        self._calls.labels(method, code).inc()
        self._call_seconds.labels(method).observe(seconds)

    def observe_stages(self, timings_ms: Mapping[str, float]) -> None:
        """Counts the stages of one photo."""
        for stage, milliseconds in timings_ms.items():
            self._stage_seconds.labels(stage).observe(milliseconds / 1000)

    def observe_decoder_rows(self, model: str) -> Callable[[int], None]:
        """What the decoder of ``model`` reports its steps to."""
        return self._decoder_rows.labels(model).observe

    def watch_in_flight(self, count: Callable[[], int]) -> None:
        """Reads the number of photos in flight whenever it is asked for."""
        self._in_flight.set_function(count)

    def set_ready(self, *, ready: bool) -> None:
        """Whether models are loaded and warm."""
        self._ready.set(ready)
