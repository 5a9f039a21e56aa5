"""The counts from which a rollout judges a version."""

from prometheus_client import generate_latest

from webapp.telemetry.metrics import RESULTS, SHADOW_RESULTS, Metrics


def test_every_result_is_counted_from_zero_on() -> None:
    metrics = Metrics()
    metrics.count_call("us_bills", 2, "canary", "ok", 0.1)
    metrics.count_shadow("us_bills", 2, "different")
    page = generate_latest(metrics.registry).decode()
    for result in RESULTS:
        of = f'model="us_bills",result="{result}",sent_as="canary",version="2"'
        assert f"us_bills_model_calls_total{{{of}}} {float(result == 'ok')}" in page
    for result in SHADOW_RESULTS:
        of = f'model="us_bills",result="{result}",version="2"'
        assert f"us_bills_shadow_total{{{of}}} {float(result == 'different')}" in page
