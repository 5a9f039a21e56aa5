"""Who is asked: a share of the clients tries the version on trial, the others stay with stable.

A client is known by a cookie that holds one of 10,000 numbers, too few to tell people apart, or
else by its address. Either stays the same, so one person sees one version.
"""

import hashlib
import logging
import secrets
from dataclasses import replace
from os import stat_result
from pathlib import Path

from flask import Flask, Response, g, request

from serving.traffic import BUCKETS, NO_CANARY, Traffic, parse
from webapp.model import Question
from webapp.settings import Settings

_log = logging.getLogger("webapp")

COOKIE = "us_bills_rollout"
_COOKIE_SECONDS = 30 * 24 * 3600


def init_app(app: Flask) -> None:
    """Give `app` its view of the traffic file, and its clients their cookie."""
    settings: Settings = app.extensions["settings"]
    app.extensions["traffic"] = TrafficFile(settings.traffic_file)
    app.after_request(_hand_out_cookie)


class TrafficFile:
    """The file that rollouts write, read again whenever it is another one.

    A look at its date takes some microseconds, so each request takes one, and no restart or signal
    is needed.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file) if file else None
        # In one piece: of two threads that read, the one that read older text may come last, and
        # then the next look has to find that the file is another one.
        self._last: tuple[tuple[int, ...] | None, Traffic] = (None, NO_CANARY)

    def current(self) -> Traffic:
        """What the file says, or what it said before it was broken."""
        if self._file is None:
            return NO_CANARY
        try:
            seen = _identity(self._file.stat())
        except OSError:
            self._last = (None, NO_CANARY)
            return NO_CANARY
        before, traffic = self._last
        if seen != before:
            traffic = self._read(self._file, seen, traffic)
        return traffic

    def _read(self, file: Path, seen: tuple[int, ...], traffic: Traffic) -> Traffic:
        try:
            traffic = parse(file.read_text(encoding="utf-8"))
            _log.info("traffic: %s", traffic)
        except (OSError, ValueError) as error:
            _log.error("%s cannot be used, the last good one stays: %s", file, error)
            if isinstance(error, OSError):
                # Not the file's fault, such as too many open ones: the next request tries again.
                return traffic
        self._last = (seen, traffic)
        return traffic


def assign(question: Question, traffic: Traffic) -> Question:
    """Lead a question that names no version of its own to the canary, or a copy of it."""
    if traffic.canary is None:
        return question
    if traffic.takes(_bucket()):
        return replace(question, canary=traffic.canary)
    if traffic.shadow:
        return replace(question, shadow=traffic.canary)
    return question


def meet(traffic: Traffic) -> None:
    """Give somebody who opens the page while a version is on trial a number of his own.

    Else all people behind one address would be taken for one.
    """
    if traffic.canary is not None and _from_cookie() is None:
        g.rollout_bucket = secrets.randbelow(BUCKETS)


def _bucket() -> int:
    known = _from_cookie()
    if known is not None:
        return known
    digest = hashlib.sha256((request.remote_addr or "").encode()).digest()
    by_address = int.from_bytes(digest[:8], "big") % BUCKETS
    # Kept in a cookie, so that who moves to another network still sees the same version.
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
