"""The folder of feedback: what is written, found, accepted and deleted, and after interruptions."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT, ModelServer
from tests.webapp.server import FrontEnd
from webapp.feedback.record import UNLISTED, Feedback, is_class
from webapp.feedback.store import ACCEPTED, FeedbackStore, Full, id_of

PHOTO = b"\xff\xd8 a photo \xff\xd9"
LONG_AGO = "2020-01-01T00:00:00+00:00"
WHOLE: dict[str, Any] = {
    "was": "20",
    "answered": None,
    "version": 1,
    "probabilities": {},
    "days": 90,
    "time": LONG_AGO,
}
WRONG = ({"time": None}, {"time": "soon"}, {"time": "2020-01-01T00:00:00"}, {"days": "90"})


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback", 100_000)


def feedback(was: str = "20", **facts: object) -> Feedback:
    given = {"answered": "50", "version": 1, "probabilities": {"50": 0.9, "20": 0.1}, "days": 90}
    return Feedback(was=was, **(given | facts))  # type: ignore[arg-type]


def names(store: FeedbackStore) -> set[str]:
    return {path.name for path in store.folder.rglob("*") if path.is_file()}


def test_what_was_added_is_found_by_its_id(store: FeedbackStore) -> None:
    given = feedback()
    store.add(given, PHOTO)
    assert store.find(given.id) == given
    [photo] = store.photos()
    assert photo.read_bytes() == PHOTO
    assert id_of(photo) == given.id
    assert photo.parent.name == "20"


def test_ids_cannot_be_guessed() -> None:
    ids = {feedback().id for _ in range(100)}
    assert len(ids) == 100
    assert {len(each) for each in ids} == {32}


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".git", "a/b", "a\\b", "a\0", "a\n", "x" * 65, "../20"]
)
def test_a_class_that_leads_out_of_the_folder_or_hides_is_none(
    store: FeedbackStore, name: str
) -> None:
    assert not is_class(name)
    with pytest.raises(ValueError, match="class"):
        store.add(feedback(name), PHOTO)
    assert not store.folder.exists()


@pytest.mark.parametrize("name", ["1", "Other", "10-2026", "kroner 50", "пять", "a.b"])
def test_any_other_name_is_a_class(name: str) -> None:
    assert is_class(name)


def test_beyond_its_bytes_nothing_is_added(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path, 1000)
    store.add(feedback(), PHOTO)
    before = names(store)
    with pytest.raises(Full, match="of 1000"):
        store.add(feedback(), b"x" * 1000)
    assert names(store) == before


def test_a_photo_that_cannot_be_written_leaves_no_record(store: FeedbackStore) -> None:
    (store.folder / "unchecked").mkdir(parents=True)
    (store.folder / "unchecked" / "20").write_text("in the way")
    with pytest.raises(OSError, match="exists"):
        store.add(feedback(), PHOTO)
    assert names(store) == {"UNCHECKED.txt", "20"}


def test_deleted_it_is_gone_whether_checked_or_not(store: FeedbackStore) -> None:
    unchecked, accepted = feedback(), feedback()
    for given in (unchecked, accepted):
        store.add(given, PHOTO)
    store.accept(next(p for p in store.photos() if id_of(p) == accepted.id), "10-2026")
    assert [path.parent.name for path in store.photos(ACCEPTED)] == ["10-2026"]
    assert store.delete(unchecked.id)
    assert store.delete(accepted.id)
    assert not store.delete(accepted.id)
    assert names(store) == {"UNCHECKED.txt"}


@pytest.mark.parametrize("label", [UNLISTED, "../20", ""])
def test_a_photo_is_accepted_under_a_class_of_its_own_only(
    store: FeedbackStore, label: str
) -> None:
    store.add(feedback(UNLISTED), PHOTO)
    [photo] = store.photos()
    with pytest.raises(ValueError, match="class"):
        store.accept(photo, label)
    assert store.photos() == [photo]


def test_a_photo_that_its_sender_deleted_meanwhile_is_not_accepted(store: FeedbackStore) -> None:
    given = feedback()
    store.add(given, PHOTO)
    [photo] = store.photos()
    store.delete(given.id)
    with pytest.raises(FileNotFoundError):
        store.accept(photo, "20")


def test_what_was_kept_for_its_days_is_deleted_accepted_or_not(store: FeedbackStore) -> None:
    old, accepted, new = feedback(time=LONG_AGO), feedback(time=LONG_AGO), feedback()
    for given in (old, accepted, new):
        store.add(given, PHOTO)
    store.accept(next(p for p in store.photos() if id_of(p) == accepted.id), "20")
    assert store.expire() == 2
    assert store.find(new.id) == new
    assert [id_of(photo) for photo in (*store.photos(), *store.photos(ACCEPTED))] == [new.id]


@pytest.mark.parametrize(
    "record",
    ["{", "[]", "null", "{}", *(json.dumps(WHOLE | wrong) for wrong in WRONG)],
)
def test_a_photo_whose_record_cannot_be_read_is_not_kept_for_ever(
    store: FeedbackStore, record: str
) -> None:
    given = feedback()
    store.add(given, PHOTO)
    (store.folder / "records" / f"{given.id}.json").write_text(record)
    assert store.find(given.id) is None
    assert store.expire() == 1
    assert store.photos() == []


def test_a_record_that_cannot_be_opened_does_not_keep_others_from_expiring(
    store: FeedbackStore,
) -> None:
    closed, old = feedback(time=LONG_AGO), feedback(time=LONG_AGO)
    for given in (closed, old):
        store.add(given, PHOTO)
    record = store.folder / "records" / f"{closed.id}.json"
    record.unlink()
    record.mkdir()
    assert store.expire() == 1
    assert [id_of(photo) for photo in store.photos()] == [closed.id]


def test_a_field_that_a_later_release_writes_does_no_harm(store: FeedbackStore) -> None:
    given = feedback()
    store.add(given, PHOTO)
    record = store.folder / "records" / f"{given.id}.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"new": 1}))
    assert store.find(given.id) == given


def test_what_an_interrupted_write_left_is_deleted_and_what_is_being_written_is_not(
    store: FeedbackStore,
) -> None:
    store.add(feedback(), PHOTO)
    left, writing = (store.folder / "records" / f".{n}.json.partial" for n in "ab")
    for path in (left, writing):
        path.write_bytes(b"{")
    os.utime(left, (time.time() - 7200,) * 2)
    store.expire()
    assert not left.exists()
    assert writing.exists()


def test_a_folder_that_is_not_there_holds_nothing(store: FeedbackStore) -> None:
    assert store.size() == store.expire() == 0
    assert store.photos() == []
    assert store.find("a" * 32) is None


def test_the_front_end_deletes_what_is_over_by_itself(
    store: FeedbackStore, model_server: ModelServer
) -> None:
    store.add(feedback(time=LONG_AGO), PHOTO)
    with FrontEnd(model_server.grpc_url, US_BILLS_FEEDBACK=str(store.folder)) as front_end:
        deadline = time.monotonic() + 60
        while store.photos() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert store.photos() == []
        assert "1 photos were kept for their days" in front_end.output()


def test_no_feedback_is_part_of_the_repository() -> None:
    assert "/feedback/" in (ROOT / ".gitignore").read_text().splitlines()
