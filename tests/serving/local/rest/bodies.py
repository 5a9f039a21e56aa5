"""Requests whose body has arrived, without a connection."""

from __future__ import annotations

import json
from typing import Any

from serving.concurrency import ByteBudget
from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.rest.request import Body, Request

LIMIT = 1_000_000


def body_of(data: bytes, *, limit: int = LIMIT, gzip: bool = False, budget: int = 0) -> Body:
    """A body that has arrived."""
    body = Body(ByteBudget(budget or 4 * limit), limit, gzip=gzip)
    body.add(data)
    return body


def request_of(document: Any, deadline: Deadline = NO_DEADLINE, limit: int = LIMIT) -> Request:
    """A request with a body: bytes as they are, anything else as JSON."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Request("POST", "/v1/models/half:predict", {}, body_of(data, limit=limit), deadline)
