"""Counters and latencies, in Prometheus' text form under the original's names.

Names, labels and buckets are those of a recorded page (`recorded/721_metrics.txt` of the tests).
The usual Prometheus library is not used: it puts `_total` behind every counter's name.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.local.errors import Code, StatusError

CONTENT_TYPE = "text/plain"

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
LOAD_COUNT = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY = ":tensorflow:cc:saved_model:load_latency"

MAX_SERIES = 10_000
"""Requests may name models without end; their counts may not grow so."""

_COUNTERS = (LOAD_COUNT, LOAD_LATENCY, REQUEST_COUNT)
_HISTOGRAMS = (REQUEST_LATENCY, RUNTIME_LATENCY)
_BOUNDS = [10 * 1.8**power for power in range(33)]
_MICROS = 1e6

Labels = tuple[tuple[str, str], ...]


@dataclasses.dataclass
class _Histogram:
    """How many values fell below each bound, and their sum in microseconds."""

    counts: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    total: int = 0


class Metrics:
    """All numbers of one server. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, Counter[Labels]] = {name: Counter() for name in _COUNTERS}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {n: {} for n in _HISTOGRAMS}

    def count(self, name: str, increase: int = 1, **labels: str) -> None:
        """Adds to a counter."""
        series = tuple(labels.items())
        with self._lock:
            counter = self._counters[name]
            if series in counter or len(counter) < MAX_SERIES:
                counter[series] += increase

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Adds a duration to a histogram."""
        micros = int(seconds * _MICROS)
        with self._lock:
            histogram = self._histograms[name].setdefault(tuple(labels.items()), _Histogram())
            histogram.counts[bisect.bisect_right(_BOUNDS, micros)] += 1
            histogram.total += micros

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request by its outcome, and times it where it succeeds."""
        start, code = time.perf_counter(), Code.OK
        try:
            yield
        except StatusError as error:
            code = error.code
            raise
        except Exception:
            code = Code.INTERNAL
            raise
        finally:
            self.count(REQUEST_COUNT, model_name=model, status=code.name)
        seconds = time.perf_counter() - start
        self.observe(REQUEST_LATENCY, seconds, model_name=model, API=api, entrypoint=entrypoint)

    @contextmanager
    def runtime(self, model: str, api: str) -> Iterator[None]:
        """Times a run of a model."""
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.observe(RUNTIME_LATENCY, seconds, model_name=model, API=api, runtime="TF1")

    @contextmanager
    def load(self, path: Path) -> Iterator[None]:
        """Counts and times an attempt to load a version."""
        start, status = time.perf_counter(), "fail"
        try:
            yield
            status = "success"
        finally:
            self.count(LOAD_COUNT, model_path=str(path), status=status)
            micros = int((time.perf_counter() - start) * _MICROS)
            self.count(LOAD_LATENCY, micros, model_path=str(path))

    def total(self, name: str) -> int:
        """The sum of a counter over its labels; 0 where there is no such counter.

        Args:
            name: with colons, or with slashes as TensorFlow writes it (recorded case 531).
        """
        with self._lock:
            return sum(self._counters.get(name.replace("/", ":"), Counter()).values())

    def page(self) -> bytes:
        """All of it, as Prometheus reads it."""
        with self._lock:
            lines = [line for name in sorted(_COUNTERS) for line in self._counter_lines(name)]
            lines += [line for name in sorted(_HISTOGRAMS) for line in self._histogram_lines(name)]
        return ("\n".join(lines) + "\n").encode()

    def _counter_lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} counter"
        for labels, value in sorted(self._counters[name].items()):
            yield f"{name}{_braces(labels)} {value}"

    def _histogram_lines(self, name: str) -> Iterator[str]:
        yield f"# TYPE {name} histogram"
        for labels, histogram in sorted(self._histograms[name].items(), key=lambda item: item[0]):
            bounds = [*(f"{bound:.6g}" for bound in _BOUNDS), "+Inf"]
            sums = list(itertools.accumulate(histogram.counts))
            for bound, below in zip(bounds, sums, strict=True):
                yield f"{name}_bucket{_braces((*labels, ('le', bound)))} {below}"
            yield f"{name}_sum{_braces(labels)} {histogram.total}"
            yield f"{name}_count{_braces(labels)} {sums[-1]}"


def _braces(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    # A path may name a model in bytes that are no UTF-8, which the page must be.
    value = value.encode("utf-8", "backslashreplace").decode()
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
