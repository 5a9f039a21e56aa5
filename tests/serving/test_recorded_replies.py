"""The local server replies as a real TensorFlow Serving did.

Every recorded case is either equal here, in `test_recorded_starts.py` or in
`test_recorded_timelines.py`, or it is listed in `known_differences.toml` with a reason.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.serving import recorded, replay
from tests.serving.recorded import KNOWN_DIFFERENCES, Case, Stage, cases
from tests.serving.stages import Stages

RELOADS = range(500, 553)
TIMELINES = range(600, 650)


def is_single(case: Case) -> bool:
    apart = case.number in RELOADS or case.number in TIMELINES
    return case.is_exchange and not apart and case.name not in KNOWN_DIFFERENCES


def of(chosen: Callable[[Case], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(chosen), ids=lambda case: case.name)


@of(is_single)
def test_a_request_is_answered_as_recorded(case: Case, stages: Stages) -> None:
    assert replay.difference(case, stages.shared(case)) == ""


@of(lambda case: case.is_exchange and case.number in RELOADS and case.name not in KNOWN_DIFFERENCES)
def test_reloads_and_what_follows_them_are_answered_as_recorded(
    case: Case, stages: Stages
) -> None:
    assert stages.of_reloads(case)[case.name] == ""
