"""Figures of several front ends, which start and stop, and of a Prometheus that collects them."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.figures import Figures
from serving.rollout.remote.front_ends import FrontEnds
from serving.rollout.remote.prometheus import Prometheus
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.traffic import Traffic
from tests.serving.rollout.conftest import where
from tests.serving.rollout.test_figures import page as other_page
from tests.support.servers import HOST, free_port, wait_until

COUNTS = """\
# TYPE us_bills_model_calls_total counter
us_bills_model_calls_total{{version="2",sent_as="canary",result="ok"}} {ok}
us_bills_model_calls_total{{version="2",sent_as="canary",result="Unavailable"}} {failed}
# TYPE us_bills_model_seconds histogram
us_bills_model_seconds_bucket{{version="2",sent_as="canary",le="0.1"}} {ok}
us_bills_model_seconds_bucket{{version="2",sent_as="canary",le="+Inf"}} {ok}
us_bills_model_seconds_count{{version="2",sent_as="canary"}} {ok}
us_bills_model_seconds_sum{{version="2",sent_as="canary"}} 1
# TYPE us_bills_canary_percent gauge
us_bills_canary_percent{{model="half"}} {percent}
us_bills_canary_percent{{model="another"}} 50
"""


@dataclass
class Page:
    """What a front end has counted."""

    port: int
    ok: int = 0
    failed: int = 0
    percent: float = 0.0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    def count(self, ok: int, failed: int) -> None:
        """Counts on."""
        self.ok += ok
        self.failed += failed


@contextmanager
def page(ok: int, failed: int, port: int = 0) -> Iterator[Page]:
    """A front end's `/metrics`; with `?ago=`, of which all had been nothing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = (0, 0) if "ago=" in self.path else (made.ok, made.failed)
            self.send_response(200)
            self.send_header("Age", "60")
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            text = COUNTS.format(ok=now[0], failed=now[1], percent=made.percent)
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((HOST, port), Handler) as server:
        made = Page(server.server_address[1], ok, failed)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def test_the_figures_of_all_front_ends_are_summed() -> None:
    with page(10, 1) as one, page(20, 2) as other:
        source = FrontEnds(f"{one.url},{other.url}")
        window, seconds = source.look_back(300)
        assert (window.of(2).requests, window.of(2).errors, seconds) == (33, 3, 60.0)
        before = source.look()
        one.count(5, 0)
        other.count(0, 7)
        assert source.look().since(before).of(2) == Figures(12, 7, 0.05, 0.095)


def test_a_front_end_that_comes_later_counts_from_when_it_was_seen() -> None:
    port = free_port()
    with page(10, 1) as one:
        source = FrontEnds(f"{one.url},http://{HOST}:{port}")
        begin = source.look()
        (silent,) = source.silent
        assert f":{port} does not tell its figures" in silent
        with page(1000, 1000, port) as late:
            assert source.look().since(begin).of(2).requests == 0
            late.count(3, 0)
            assert source.look().since(begin).of(2).requests == 3
        # Gone again: what it had counted stays counted.
        one.count(2, 0)
        assert source.look().since(begin).of(2).requests == 5


def test_a_front_end_that_started_anew_does_not_hide_what_others_counted() -> None:
    with page(10, 0) as one, page(20, 0) as other:
        source = FrontEnds(f"{one.url},{other.url}")
        begin = source.look()
        one.ok = 4
        other.count(6, 0)
        assert source.look().since(begin).of(2).requests == 10


def test_counts_go_on_from_those_before_a_restart() -> None:
    with page(300, 0) as one:
        source = FrontEnds(one.url)
        begin = source.look()
        one.count(40, 4)
        assert source.look().since(begin).of(2) == Figures(44, 4, 0.05, 0.095)
        one.ok, one.failed = 299, 2
        source.look()
        # More than before the restart, which is then not to be seen in these counts alone.
        one.count(50, 0)
        counted = source.look().since(begin).of(2)
        assert (counted.requests, counted.errors) == (44 + 299 + 2 + 50, 6)


def test_without_any_front_end_the_source_refuses() -> None:
    with pytest.raises(Refused, match="does not tell its figures"):
        FrontEnds(f"http://{HOST}:{free_port()}").look()


def test_status_names_the_front_end_that_is_away(offline: Deployment) -> None:
    away = f"http://{HOST}:{free_port()}"
    with page(10, 1) as one:
        found = status(offline, FrontEnds(f"{one.url},{away}"), 300)
    assert {row.version: row.figures for row in found.rows}[1] == Figures()
    assert found.seconds == 60.0
    assert found.notes[0].startswith(f"The front end at {away} does not tell its figures")


def test_status_names_the_front_end_that_gives_the_canary_another_share(
    offline: Deployment,
) -> None:
    offline.write_split(Traffic(2, 10.0))
    with page(1, 0) as behind, page(1, 0) as right:
        right.percent = 10.0
        found = status(offline, FrontEnds(f"{behind.url},{right.url}", ["half"]), 300)
    said = f"The front end at {behind.url} gives the canary 0 %, the file says 10 %."
    assert [note for note in found.notes if "front end" in note] == [said]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[str, list[Page]]]:
    """A Prometheus that asks two front ends every second."""
    if shutil.which("prometheus") is None:
        pytest.skip("`prometheus` is not installed")
    with ExitStack() as stack:
        pages = [stack.enter_context(page(1, 0)) for _ in range(2)]
        targets = ", ".join(f"'{HOST}:{one.port}'" for one in pages)
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: web, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        port = free_port()
        with (tmp_path / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={tmp_path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={tmp_path / 'data'}",
                    f"--web.listen-address={HOST}:{port}",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield f"http://{HOST}:{port}", pages


def test_prometheus_tells_the_figures_of_all_front_ends(
    prometheus: tuple[str, list[Page]], offline: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    url, pages = prometheus
    source = Prometheus(url)
    for _ in wait_until("its first scrapes", time.monotonic() + 30):
        if _total(source) == 2:
            break
    begin = source.look()
    # What a counter grows by is seen between two scrapes within the while.
    for _ in wait_until("more scrapes", time.monotonic() + 30):
        if source.look().at > begin.at + 3:
            break
    for one in pages:
        one.count(40, 10)
    for _ in wait_until("the counts to be scraped", time.monotonic() + 30):
        figures = source.look().since(begin).of(2)
        if figures.requests >= 90:
            break
    # It extends what it has seen to the whole while.
    assert figures.requests <= 200
    assert figures.errors / figures.requests == pytest.approx(0.2, abs=0.01)
    assert figures.p95 == pytest.approx(0.095)
    assert Prometheus(url, ["half", ""]).look().since(begin).of(2).requests >= 90
    assert Prometheus(url, ["another"]).look().since(begin).of(2) == Figures()
    shares = Prometheus(url, ["half"]).canary_percents()
    assert shares == {f"{HOST}:{one.port}": 0.0 for one in pages}
    assert main([*where(offline), f"--prometheus={url}", "status", "--json"]) == 0
    assert '"p95": null' in capsys.readouterr().out


def _total(source: Prometheus) -> float:
    """What it has of all counters, once it answers."""
    try:
        total = "sum(us_bills_model_calls_total)"
        return source._query(total, lambda series: float(series[0]["value"][1]))
    except Refused:
        return 0.0


def test_what_is_no_prometheus_is_told() -> None:
    with page(1, 0) as one, pytest.raises(Refused, match=f"Prometheus at {one.url} does not tell"):
        Prometheus(one.url).look()


@pytest.mark.parametrize("result", [[], "x", [{"metric": 1, "value": [1, "1"]}], [{}]])
def test_a_prometheus_that_answers_something_else_is_told(result: object) -> None:
    reply = json.dumps({"data": {"result": result}})
    with other_page(reply) as url, pytest.raises(Refused, match="does not tell the figures"):
        Prometheus(url).look_back(60)


@pytest.mark.parametrize(
    "text",
    [
        *["http://a:1", "a:1", "dns://a:1", "dns:///a", "dns:///a:b", "", "grpc://a"],
        *["grpc://[::1:8500", "grpc://user@a:1", "grpc://a:1, b:2", "grpc://a:99999"],
        *["dns:///serving..pods:8500", f"dns:///{'a' * 64}:8500", "grpc://a:1/b", "grpc://a:0"],
    ],
)
def test_an_address_of_another_form_is_refused_with_the_forms_expected(text: str) -> None:
    expected = r"Expected --server to be grpc://host:port or dns:///name:port"
    with pytest.raises(Refused, match=expected):
        Addresses(text, "--server", "grpc", "grpc://host:port")


def test_a_name_stands_for_all_its_addresses() -> None:
    found = Addresses("dns:///localhost:8500,grpc://a:1,b:2", "--server", "grpc", "").urls()
    assert "grpc://127.0.0.1:8500" in found
    assert found[-2:] == ["grpc://a:1", "grpc://b:2"]


def test_addresses_without_a_scheme_are_not_less_encrypted_than_the_first() -> None:
    found = Addresses("grpcs://a:1,b:2", "--server", "grpc", "").urls()
    assert found == ["grpcs://a:1", "grpcs://b:2"]


def test_a_name_that_nobody_knows_is_told(offline: Deployment) -> None:
    unknown = Addresses("dns:///unknown.invalid:8500", "--server", "grpc", "")
    with pytest.raises(Exception, match=r"The name unknown\.invalid has no address"):
        unknown.urls()
    flags = [f"--config={offline.config.file}", "--server=dns:///unknown.invalid:8500"]
    assert main([*flags, "--webapp=dns:///unknown.invalid:5000", "status"]) == 0


def test_addresses_of_a_name_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ["10.0.0.2", "10.0.0.1"]

    def look_up(
        name: str, port: int, **_: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not hosts:
            raise OSError("no answer")
        return [(0, 0, 0, "", (host, port)) for host in hosts]

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    name = Addresses("dns:///serving:8500", "--server", "grpc", "")
    assert name.urls() == ["grpc://10.0.0.1:8500", "grpc://10.0.0.2:8500"]
    hosts[0] = "::1"
    assert name.urls() == ["grpc://10.0.0.1:8500", "grpc://[::1]:8500"]
    hosts.clear()
    assert name.urls() == ["grpc://10.0.0.1:8500", "grpc://[::1]:8500"]
