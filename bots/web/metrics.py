"""Counters for Prometheus, in a registry of the app's own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["WebMetrics"]


class WebMetrics:
    """What ``/metrics`` shows; paths are the routes', so that ids add no series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lookalike_web_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "lookalike_web_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["method", "route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.live_views = Gauge(
            "lookalike_web_live_views", "Live views that run.", registry=self.registry
        )
        self.live_frames = Counter(
            "lookalike_web_live_frames_total",
            "Frames of live views, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
