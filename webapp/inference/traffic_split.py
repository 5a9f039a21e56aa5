"""The traffic split: a share of the clients gets the version on trial, the others stable.

A client is known by a cookie that holds one of 10,000 numbers, too few to tell people apart, or
else by its address. Either stays the same, so one person sees one version. A rollout may share out
single requests instead, for callers that are few or come from one address.
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
    """Give `app` its view of the traffic file, and its clients their cookie."""
    settings: Settings = app.extensions["settings"]
    app.extensions["traffic"] = TrafficFile(settings.traffic_file, settings.model_name)
    app.after_request(_hand_out_cookie)


class TrafficFile:
    """The file that rollouts write, read again whenever it has changed.

    Each request compares its date, which takes microseconds, so no restart or signal is needed.
    """

    def __init__(self, file: str, model: str) -> None:
        """Read nothing yet.

        Args:
            file: Its path; empty for no trials.
            model: The classifier, which a file of before is about, that names no model.
        """
        self._file = Path(file) if file else None
        self._model = model
        # One tuple: of two threads that read, the one with the older text may assign last, and the
        # next request must then find that the file has changed.
        self._last: tuple[tuple[int, ...] | None, Splits] = (None, Splits())

    def current(self, model: str | None = None) -> Traffic:
        """The split of a model, the classifier if none is given, as the last valid file has it.

        The empty name of a counter that is switched off has no trial.
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
                # Not the file's fault, such as too many open ones: the next request tries again.
                return splits
        self._last = (seen, splits)
        return splits


def assign(query: PredictionRequest, traffic: Traffic, counting: Traffic) -> PredictionRequest:
    """Choose the canaries, or a copy for one, for a request that names no version.

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
    """Give a client that opens the page during a trial a number of its own, for its cookie.

    Without it all clients behind one address would count as one.
    """
    by_client = any(trial.canary is not None and trial.by != BY_REQUEST for trial in trials)
    if by_client and _from_cookie() is None:
        g.rollout_bucket = secrets.randbelow(BUCKETS)


def _in_share(traffic: Traffic) -> bool:
    """Whether the version on trial answers the current request."""
    if traffic.canary is None:
        return False
    return traffic.takes(secrets.randbelow(BUCKETS) if traffic.by == BY_REQUEST else _bucket())


def _bucket() -> int:
    known = _from_cookie()
    if known is not None:
        return known
    digest = hashlib.sha256((request.remote_addr or "").encode()).digest()
    by_address = int.from_bytes(digest[:8], "big") % BUCKETS
    # Kept in a cookie, so that a client on another network still gets the same version.
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
