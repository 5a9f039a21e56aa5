"""The traffic split: a share of the clients gets the version on trial, the others stable.

A client is recognised by a cookie with one of 10,000 numbers, too few to identify people, or else
by its address. Both stay the same, so one person sees one version. A rollout may split single
requests instead, for clients that are few or share one address.
"""

import hashlib
import logging
import secrets
from dataclasses import replace
from os import stat_result
from pathlib import Path

from flask import Flask, Response, g, request

from serving.traffic import BUCKETS, BY_REQUEST, Splits, Traffic, read
from webapp.inference.model import PredictionRequest
from webapp.settings import Settings

_log = logging.getLogger("webapp")

COOKIE = "us_bills_rollout"
_COOKIE_SECONDS = 30 * 24 * 3600


def init_app(app: Flask) -> None:
    """Add the traffic file to `app`, and the cookie to its responses."""
    settings: Settings = app.extensions["settings"]
    app.extensions["traffic"] = TrafficFile(settings.traffic_file, settings.model_name)
    app.after_request(_hand_out_cookie)


class TrafficFile:
    """The file that rollouts write, read again whenever it has changed.

    Each request checks the file's date, which takes microseconds; no restart or signal is needed.
    """

    def __init__(self, file: str, model: str) -> None:
        """Store the path without reading the file.

        Args:
            file: Path of the file; empty for no trials.
            model: Name of the classifier; a file in the older format, without names, is about it.
        """
        self._file = Path(file) if file else None
        self._model = model
        # A single tuple: of two threads that read the file, the one with the older text may assign
        # last, and the next request must then notice that the file has changed.
        self._last: tuple[tuple[int, ...] | None, Splits] = (None, Splits())

    def current(self, model: str | None = None) -> Traffic:
        """Return the split of a model, by default the classifier, from the last valid file.

        The empty name, of a counter that is switched off, has no trial.
        """
        return self._splits().of(self._model if model is None else model)

    def _splits(self) -> Splits:
        if self._file is None:
            return Splits()
        try:
            seen = _identity(self._file.stat())
        except OSError:
            self._last = (None, Splits())
            return Splits()
        before, splits = self._last
        if seen != before:
            splits = self._read(self._file, seen, splits)
        return splits

    def _read(self, file: Path, seen: tuple[int, ...], splits: Splits) -> Splits:
        try:
            splits = read(file, self._model)
            _log.info("traffic: %s", dict(splits.by_model))
        except (OSError, ValueError) as error:
            _log.error("%s cannot be used, the last good one stays: %s", file, error)
            if isinstance(error, OSError):
                # The file is not the cause, e.g. too many open files: the next request retries.
                return splits
        self._last = (seen, splits)
        return splits


def assign(query: PredictionRequest, traffic: Traffic, counting: Traffic) -> PredictionRequest:
    """Choose the canaries to ask, or a shadow copy, for a request that names no version.

    Args:
        query: The request.
        traffic: The split of the classifier.
        counting: The split of the counter.
    """
    if query.count and _in_share(counting):
        query = replace(query, counting_canary=counting.canary)
    if _in_share(traffic):
        return replace(query, canary=traffic.canary)
    if traffic.shadow:
        return replace(query, shadow=traffic.canary)
    return query


def number_client(*trials: Traffic) -> None:
    """Assign a random number, for its cookie, to a client that opens the page during a trial.

    Without the number, all clients behind one address would count as one.
    """
    by_client = any(trial.canary is not None and trial.by != BY_REQUEST for trial in trials)
    if by_client and _from_cookie() is None:
        g.rollout_bucket = secrets.randbelow(BUCKETS)


def _in_share(traffic: Traffic) -> bool:
    """Report whether the version on trial answers the current request."""
    if traffic.canary is None:
        return False
    return traffic.takes(secrets.randbelow(BUCKETS) if traffic.by == BY_REQUEST else _bucket())


def _bucket() -> int:
    known = _from_cookie()
    if known is not None:
        return known
    digest = hashlib.sha256((request.remote_addr or "").encode()).digest()
    by_address = int.from_bytes(digest[:8], "big") % BUCKETS
    # Stored in a cookie, so that a client that changes networks still gets the same version.
    g.rollout_bucket = by_address
    return by_address


def _from_cookie() -> int | None:
    value = request.cookies.get(COOKIE, "")
    known = value.isascii() and value.isdecimal() and len(value) <= 4
    return int(value) if known else None


def _hand_out_cookie(response: Response) -> Response:
    if "rollout_bucket" in g:
        response.set_cookie(
            COOKIE,
            str(g.rollout_bucket),
            max_age=_COOKIE_SECONDS,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
    return response


def _identity(stat: stat_result) -> tuple[int, ...]:
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
