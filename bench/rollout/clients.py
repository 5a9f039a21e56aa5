"""Clients that send requests without a pause during a rollout, and check every answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import requests

from bench.rollout.local import PHOTO
from serving.traffic import BUCKETS, Traffic
from webapp.inference.traffic_split import COOKIE

PERCENT = 10.0
# A stride that visits all buckets before it repeats one, and is evenly spread at any time.
_STRIDE = 6_181


@dataclass(frozen=True)
class Epoch:
    """The versions that may answer from `start` on: stable ones, and the canary if there is one."""

    start: float
    stable: frozenset[int]
    canary: int | None
    share: Traffic


class Load:
    """Clients that ask without a pause, each at one front end, with a new person per request."""

    def __init__(self, urls: Sequence[str], clients: int) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.shares: Counter[bool] = Counter()
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self._epochs = [Epoch(0.0, frozenset({1}), None, Traffic())]
        self._people = itertools.count()
        self._began = time.monotonic()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask_all_the_time, args=(urls[n % len(urls)],))
            for n in range(clients)
        ]

    def start(self) -> None:
        """Starts the clients."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops the clients, and waits for their last answers."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def expect(self, *stable: int, canary: int | None = None, percent: float = 0.0) -> None:
        """Sets the versions that may answer from now on; during a command, the old and the new."""
        epoch = Epoch(time.monotonic(), frozenset(stable), canary, Traffic(canary, percent))
        with self._lock:
            self._epochs.append(epoch)

    def _ask_all_the_time(self, url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._done.is_set():
                with self._lock:
                    person = next(self._people)
                self._ask(session, url, person)

    def _ask(self, session: requests.Session, url: str, person: int) -> None:
        bucket = person * _STRIDE % BUCKETS
        # One request in ten names a version, one in ten a label; both bypass the trial's choice.
        query = {3: "?label=stable", 7: self._query_by_number()}.get(person % 10, "")
        session.cookies.clear()
        started = time.monotonic()
        try:
            reply = session.post(
                f"{url}/predict{query}",
                files={"image": PHOTO},
                cookies={COOKIE: str(bucket)},
                timeout=30,
            )
        except requests.RequestException as error:
            self._note_failure(query, str(error))
            return
        if reply.status_code != 200:
            self._note_failure(query, f"{reply.status_code} {reply.text[:200]}")
            return
        model = reply.json()["model"]
        with self._lock:
            self._judge(query, bucket, started, model["version"], model["label"])

    def _note_failure(self, query: str, words: str) -> None:
        seconds = time.monotonic() - self._began
        self.failures.append(f"after {seconds:.1f} s, {query or 'plain'}: {words}")

    def _query_by_number(self) -> str:
        """Returns a query for a version that is certainly loaded, so not one in transition."""
        stable = self._epochs[-1].stable
        return f"?version={max(stable)}" if len(stable) == 1 else "?label=stable"

    def _judge(
        self, query: str, bucket: int, started: float, version: int, label: str | None
    ) -> None:
        later = [epoch.start for epoch in self._epochs[1:]] + [float("inf")]
        during = [e for e, end in zip(self._epochs, later, strict=True) if end >= started]
        self.answers[label or "by number", version] += 1
        if label == "canary":
            good = not query and any(e.canary == version and e.share.takes(bucket) for e in during)
        elif query.startswith("?version"):
            good = query == f"?version={version}"
        else:
            good = any(version in epoch.stable for epoch in during)
        if not good:
            self.wrong.append(f"{query or 'plain'} of {bucket}: {label} {version}")
        if len(during) == 1 and not query and during[0].share.percent == PERCENT:
            self.shares[label == "canary"] += 1
