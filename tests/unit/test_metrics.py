"""What Prometheus sees."""

from prometheus_client import generate_latest

from model_server.metrics import Metrics


def test_everything_is_exported():
    """Calls by code, stages, batch sizes, photos in flight, readiness."""
    metrics = Metrics()
    metrics.observe_call("AnalyzePhoto", "OK", 0.05)
    metrics.observe_call("AnalyzePhoto", "INVALID_ARGUMENT", 0.001)
    metrics.observe_stages({"decode": 12.0, "detect": 30.0})
    metrics.observe_decoder_rows("photos")(6)
    metrics.watch_in_flight(lambda: 3)
    metrics.set_ready(ready=True)
    text = generate_latest(metrics.registry).decode()
    for line in (
        'lookalike_calls_total{code="INVALID_ARGUMENT",method="AnalyzePhoto"} 1.0',
        'lookalike_call_seconds_count{method="AnalyzePhoto"} 2.0',
        'lookalike_stage_seconds_sum{stage="decode"} 0.012',
        'lookalike_decoder_rows_sum{model="photos"} 6.0',
        "lookalike_photos_in_flight 3.0",
        "lookalike_ready 1.0",
    ):
        assert line in text


def test_two_servers_do_not_share_metrics():
    """Each has a registry of its own, so that tests and embedded servers can have several."""
    first, second = Metrics(), Metrics()
    first.observe_call("AnalyzePhoto", "OK", 0.05)
    assert b'method="AnalyzePhoto"' not in generate_latest(second.registry)
