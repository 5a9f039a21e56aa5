"""Counters and histograms in Prometheus' text format, under the original's names.

Names, labels and buckets are from a recorded page (`recorded/721_metrics.txt` of the tests) or, if
that page lacks them, from the original's `util.cc`, `saved_model_warmup_util.cc` and
`batching_session.cc`. The usual Prometheus library would append `_total` to every counter's name.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from serving.local.errors import Code, StatusError

CONTENT_TYPE = "text/plain"

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
LOAD_COUNT = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY = ":tensorflow:cc:saved_model:load_latency"

WARMUP_LATENCY = ":tensorflow:serving:model_warmup_latency"
EXAMPLE_COUNTS = ":tensorflow:serving:request_example_counts"
EXAMPLE_COUNT_TOTAL = ":tensorflow:serving:request_example_count_total"
BATCH_COUNT = ":tensorflow:serving:batching_session:wrapped_run_count"
QUEUING_LATENCY = ":tensorflow:serving:batching_session:queuing_latency"

UNKNOWN_MODEL = "unknown"
"""Replaces all model names that were never configured: requests could send any number of them."""

_COUNTERS = (LOAD_COUNT, LOAD_LATENCY, REQUEST_COUNT, EXAMPLE_COUNT_TOTAL, BATCH_COUNT)
_LATENCY_BOUNDS = [10 * 1.8**power for power in range(33)]
_HISTOGRAMS = {
    REQUEST_LATENCY: _LATENCY_BOUNDS,
    RUNTIME_LATENCY: _LATENCY_BOUNDS,
    WARMUP_LATENCY: _LATENCY_BOUNDS,
    QUEUING_LATENCY: [100 * 1.2**power for power in range(52)],
    EXAMPLE_COUNTS: [2.0**power for power in range(15)],
}
"""Upper bounds of buckets by metric name; latencies are in microseconds."""

Labels = tuple[tuple[str, str], ...]


@dataclasses.dataclass
class _Histogram:
    """The number of values in each bucket, with one above the last bound, and their sum."""

    counts: list[int]
    total: int = 0


class Metrics:
    """All metrics of one server. Thread-safe."""

    def __init__(self, is_known: Callable[[str], bool] = lambda _: True) -> None:
        """Creates empty metrics. `is_known` says whether a model name gets its own time series."""
        self._is_known = is_known
        self._lock = threading.Lock()
        self._counters: dict[str, Counter[Labels]] = {name: Counter() for name in _COUNTERS}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {n: {} for n in _HISTOGRAMS}

    def count(self, name: str, increase: int = 1, **labels: str) -> None:
        """Adds to a counter."""
        with self._lock:
            self._counters[name][tuple(labels.items())] += increase

    def observe(self, name: str, value: int, **labels: str) -> None:
        """Adds a value to a histogram."""
        bounds = _HISTOGRAMS[name]
        series = tuple(labels.items())
        with self._lock:
            histogram = self._histograms[name].get(series)
            if histogram is None:
                histogram = self._histograms[name][series] = _Histogram([0] * (len(bounds) + 1))
            histogram.counts[bisect.bisect_right(bounds, value)] += 1
            histogram.total += value

    def examples(self, model: str, count: int) -> None:
        """Counts the examples of an answered request; the caller leaves out warm-up requests."""
        self.observe(EXAMPLE_COUNTS, count, model=model)
        self.count(EXAMPLE_COUNT_TOTAL, count, model=model)

    def batch(self, waited_seconds: Sequence[float]) -> None:
        """Counts a batch and how long each of its requests waited for it."""
        self.count(BATCH_COUNT)
        for seconds in waited_seconds:
            # The original leaves this label empty, whatever the batching file says.
            self.observe(QUEUING_LATENCY, int(1e6 * seconds), thread_pool_name="")

    @contextmanager
    def timed(self, name: str, **labels: str) -> Iterator[None]:
        """Adds the microseconds that a block takes to a histogram, if the block succeeds."""
        start = time.perf_counter()
        yield
        self.observe(name, _micros_since(start), **labels)

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request by its status, and times it if it succeeds."""
        code = Code.OK
        try:
            name = self._name(model)
            with self.timed(REQUEST_LATENCY, model_name=name, API=api, entrypoint=entrypoint):
                yield
        except Exception as error:
            code = StatusError.of(error).code
            raise
        finally:
            self.outcome(model, code)

    def outcome(self, model: str, code: Code) -> None:
        """Counts a request by its status."""
        self.count(REQUEST_COUNT, model_name=self._name(model), status=code.name)

    def runtime(self, model: str, api: str) -> AbstractContextManager[None]:
        """Times a run of a model."""
        return self.timed(RUNTIME_LATENCY, model_name=model, API=api, runtime="TF1")

    @contextmanager
    def load(self, path: Path) -> Iterator[None]:
        """Counts and times an attempt to load a version."""
        start, status = time.perf_counter(), "fail"
        try:
            yield
            status = "success"
        finally:
            self.count(LOAD_COUNT, model_path=str(path), status=status)
            self.count(LOAD_LATENCY, _micros_since(start), model_path=str(path))

    def warm_up(self, path: Path) -> AbstractContextManager[None]:
        """Times a successful warm-up; the original also records files that cannot be read."""
        return self.timed(WARMUP_LATENCY, model_path=str(path), status="OK")

    def total(self, name: str) -> int:
        """Returns a counter's sum over its labels, 0 if unknown; accepts `/` for `:` (case 531)."""
        with self._lock:
            return sum(self._counters.get(name.replace("/", ":"), Counter()).values())

    def page(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        with self._lock:
            families = [(name, self._counter_lines) for name in _COUNTERS]
            families += [(name, self._histogram_lines) for name in _HISTOGRAMS]
            lines = [line for name, lines_of in sorted(families) for line in lines_of(name)]
        return ("\n".join(lines) + "\n").encode()

    def _name(self, model: str) -> str:
        return model if self._is_known(model) else UNKNOWN_MODEL

    def _counter_lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} counter"
        for labels, value in sorted(self._counters[name].items()):
            yield f"{name}{_braces(labels)} {value}"

    def _histogram_lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} histogram"
        for labels, histogram in sorted(self._histograms[name].items(), key=lambda item: item[0]):
            bounds = [*(f"{bound:.6g}" for bound in _HISTOGRAMS[name]), "+Inf"]
            sums = list(itertools.accumulate(histogram.counts))
            for bound, below in zip(bounds, sums, strict=True):
                yield f"{name}_bucket{_braces((*labels, ('le', bound)))} {below}"
            yield f"{name}_sum{_braces(labels)} {histogram.total}"
            yield f"{name}_count{_braces(labels)} {sums[-1]}"


def _micros_since(start: float) -> int:
    return int(1e6 * (time.perf_counter() - start))


def _braces(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    # A model name from a request path may not be UTF-8, but the page must be.
    value = value.encode("utf-8", "backslashreplace").decode()
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
