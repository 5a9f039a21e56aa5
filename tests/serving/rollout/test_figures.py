"""The front end's counters become requests, errors and quantiles of a period."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.rollout.errors import Refused
from serving.rollout.remote.figures import (
    Figures,
    Snapshot,
    canary_percent,
    look,
    look_back,
    quantile,
    read,
)
from tests.support.servers import HOST, free_port

PAGE = """\
# TYPE us_bills_model_calls_total counter
us_bills_model_calls_total{version="2",sent_as="canary",result="ok"} 30.0
us_bills_model_calls_total{version="2",sent_as="shadow",result="ok"} 60.0
us_bills_model_calls_total{version="2",sent_as="canary",result="Unavailable"} 10.0
us_bills_model_calls_total{version="1",sent_as="stable",result="ok"} 400.0
# TYPE us_bills_model_seconds histogram
us_bills_model_seconds_bucket{version="2",sent_as="canary",le="0.1"} 30.0
us_bills_model_seconds_bucket{version="2",sent_as="canary",le="+Inf"} 30.0
us_bills_model_seconds_bucket{version="2",sent_as="shadow",le="0.1"} 15.0
us_bills_model_seconds_bucket{version="2",sent_as="shadow",le="+Inf"} 60.0
# TYPE us_bills_shadow_total counter
us_bills_shadow_total{version="2",result="same"} 50.0
us_bills_shadow_total{version="2",result="different"} 4.0
us_bills_shadow_total{version="2",result="dropped"} 9.0
"""


def test_a_versions_figures_are_summed_over_all_kinds_of_requests() -> None:
    figures = read(PAGE).of(2)
    assert (figures.requests, figures.errors) == (100, 10)
    assert (figures.compared, figures.different) == (54, 4)
    assert figures.p50 == 0.1
    assert read(PAGE).of(3) == Figures()


def test_counts_of_another_model_are_none_of_a_versions_figures() -> None:
    of_another = PAGE.replace('version="2"', 'model="count",version="2"')
    assert read(of_another).of(2) == Figures()
    assert read(of_another).of(1).requests == 400
    assert read(of_another, ["count"]).of(2) == read(PAGE).of(2)
    assert read(of_another, ["count"]).of(1) == Figures()
    named = PAGE.replace("{version", '{model="us_bills",version')
    assert read(named, ["us_bills", ""]).of(2) == read(PAGE, ["us_bills", ""]).of(2)


def test_the_figures_of_a_while_are_the_difference_of_two_looks() -> None:
    later = read(PAGE.replace("400.0", "425.0")).since(read(PAGE))
    assert later.of(1).requests == 25
    assert later.of(2) == Figures()


def test_a_front_end_that_was_started_anew_has_counted_from_nothing() -> None:
    assert read(PAGE.replace("400.0", "25.0")).since(read(PAGE)).of(1).requests == 25


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.05), (0.5, 0.1), (0.75, 0.15), (0.99, 0.2)]
)
def test_a_quantile_lies_on_a_line_within_its_bucket(share: float, expected: float) -> None:
    buckets = {0.1: 50.0, 0.2: 99.0, float("inf"): 100.0}
    assert quantile(buckets, share) == pytest.approx(expected, rel=0.03)


def test_beyond_the_last_bound_a_quantile_is_that_bound() -> None:
    assert quantile({0.1: 1.0, float("inf"): 100.0}, 0.5) == 0.1


def test_without_requests_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0.1: 0.0, float("inf"): 0.0}, 0.5) is None
    assert Snapshot().of(1).p95 is None


def test_a_front_end_that_is_away_is_told() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Refused, match=f"The front end at {url} does not tell its figures"):
        look(url)


@contextmanager
def page(text: str, age: str = "60") -> Iterator[str]:
    """A front end whose `/metrics` is this text; yields its URL."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Age", age)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    "text",
    [
        '<html><body class="x">Sign in</body></html>',
        'us_bills_model_calls_total{version="2",result="ok"} NaN\n',
        'us_bills_model_calls_total{version="2",result="ok"} -1\n',
        'us_bills_model_seconds_bucket{version="2",le="soon"} 3\n',
        'us_bills_model_seconds_bucket{version="2"} 3\n',
    ],
)
def test_a_page_of_something_else_is_told(text: str) -> None:
    with page(text) as url:
        for ask in (look, lambda url: look_back(url, 60)):
            with pytest.raises(Refused, match="Expected"):
                ask(url)
        if text.startswith("<"):
            with pytest.raises(Refused, match="Expected Prometheus' text format"):
                canary_percent(url)


def test_an_age_that_is_no_number_is_told() -> None:
    with page(PAGE, "soon") as url, pytest.raises(Refused, match=r"Age of .* Received: 'soon'"):
        look_back(url, 60)


def test_a_count_without_a_version_is_none_of_a_versions_figures() -> None:
    assert read(PAGE + 'us_bills_model_calls_total{result="ok"} 3\n').of(2) == read(PAGE).of(2)
