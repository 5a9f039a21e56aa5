"""The conditions under which a drill fails, and the table at its end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.drill import people
from bench.drill.answers import RIGHT, UNSURE, WRONG, Asked, table, verdict
from bench.drill.drill import (
    OLD_BILLS,
    SENT_BACK,
    Clock,
    Failed,
    Plan,
    _ask_before,
    _report,
    require_reached,
)
from bench.drill.pictures import Picture, Pictures
from bench.rollout.clients import Load

PLAN = Plan(Path("models/us_bills/1"), Pictures([], [], [], known_only=False))
LEARNT = Asked(SENT_BACK, Picture("10", b""), WRONG, RIGHT)


def old(before: str, after: str) -> Asked:
    return Asked(OLD_BILLS, Picture("5", b""), before, after)


def test_the_table_has_a_row_for_each_group() -> None:
    lines = table([LEARNT, old(RIGHT, UNSURE), old(RIGHT, RIGHT), old(UNSURE, WRONG)]).splitlines()
    assert lines[2:] == [
        "| new design, sent back | 1 | 0 | 0 | 1 | 1 | 0 | 0 |",
        "| old bills | 3 | 2 | 1 | 0 | 1 | 1 | 1 |",
    ]


@pytest.mark.parametrize(("told", "worth"), [("5", RIGHT), (None, UNSURE), ("20", WRONG)])
def test_an_answer_is_right_unsure_or_wrong(told: str | None, worth: str) -> None:
    assert verdict("5", told) == worth


def test_one_in_ten_old_pictures_may_become_unsure() -> None:
    kept = [LEARNT, *[old(RIGHT, RIGHT)] * 9]
    require_reached(PLAN, [*kept, old(RIGHT, UNSURE)], Load([], 0))
    with pytest.raises(Failed, match="2 old pictures are not answered rightly any more, 1 may"):
        require_reached(PLAN, [*kept, *[old(RIGHT, UNSURE)] * 2], Load([], 0))


def test_an_old_picture_that_is_answered_wrongly_now_is_a_failure() -> None:
    kept = [LEARNT, *[old(RIGHT, RIGHT)] * 40]
    with pytest.raises(Failed, match="1 old pictures are answered wrongly now"):
        require_reached(PLAN, [*kept, old(UNSURE, WRONG)], Load([], 0))


def test_a_picture_that_is_still_not_known_is_a_failure() -> None:
    with pytest.raises(Failed, match="still not answered rightly"):
        require_reached(PLAN, [LEARNT._replace(after=UNSURE)], Load([], 0))


def test_a_failed_request_and_a_wrong_version_are_failures() -> None:
    load = Load([], 0)
    load.failures.append("plain: 500")
    load.wrong.append("plain of 3: stable 2")
    with pytest.raises(Failed, match=r"1 requests failed.*1 were answered by a wrong version"):
        require_reached(PLAN, [LEARNT], load)


def test_a_similar_note_is_asked_about_again_though_it_was_unsure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "ask", lambda *_: people.Reply(None, 1))
    new, drawn, similar = (Picture(label, b"") for label in ("10", "5", "20"))
    plan = Plan(PLAN.model, Pictures([new], [], [drawn], known_only=True, beside=[similar]))
    site: Any = SimpleNamespace(webapp=SimpleNamespace(url=""))
    asked = _ask_before(site, plan, Clock())
    assert [(each.group, each.picture) for each in asked] == [
        (SENT_BACK, new),
        (OLD_BILLS, similar),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.6, "1 min 0 s"), (119.7, "2 min 0 s"), (121.2, "2 min 1 s")]
)
def test_no_minute_has_sixty_seconds_left_over(
    seconds: float, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _report([], Load([], 0), seconds)
    assert f"wall time: {text}\n" in capsys.readouterr().out
