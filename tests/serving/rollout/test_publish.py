"""A SavedModel becomes the next version, or is refused and nothing changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.client import connect
from serving.local.errors import StatusError
from serving.rollout import commands
from serving.rollout.checks.check import check
from serving.rollout.checks.golden_set import BYTES_SIGNATURE, PHOTO, Golden, judge
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of
from serving.rollout.steps import Step
from serving.wire.tensors import Array
from tests import specimen
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import do, where


def names(deployment: Deployment) -> set[str]:
    return {path.name for path in deployment.store.folder.iterdir()}


def test_a_good_one_is_checked_in_a_fresh_process_and_gets_the_next_number(
    offline: Deployment, small_models: Path
) -> None:
    candidate = small_models / "half" / "2"
    do(offline, publish(offline, "publish", candidate))
    assert names(offline) == {"1", "2"}
    assert digest_of(offline.store.path(2)) == digest_of(candidate)
    (noted,) = [line for line in offline.history.lines() if line["event"] == "checked"]
    assert noted["checked"] == digest_of(candidate)
    assert noted["growth_bytes"] > 0
    said = do(offline, publish(offline, "publish", candidate))
    assert names(offline) == {"1", "2"}
    assert "the same files are version 2" in said[0]


def test_a_broken_one_is_refused(offline: Deployment, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(Refused, match="check its files: Can't parse"):
        do(offline, publish(offline, "publish", broken))
    with pytest.raises(Refused, match="Expected the folder of a SavedModel"):
        publish(offline, "publish", tmp_path)
    assert names(offline) == {"1"}


@pytest.mark.parametrize("before", ["copy", "next version"])
def test_what_changes_while_it_is_published_is_not_published(
    offline: Deployment, small_models: Path, tmp_path: Path, before: str
) -> None:
    source = shutil.copytree(small_models / "half" / "2", tmp_path / "source")
    believe(offline, source)
    command = publish(offline, "publish", source)
    at = [step.name for step in command.steps].index(before)
    written = source if before == "copy" else offline.store.draft_of(digest_of(source))
    late = Step("somebody writes", lambda: str((written / "late").write_text("")))
    with pytest.raises(
        Refused, match=r"files changed while they|copy changed after it was checked"
    ):
        do(offline, replace(command, steps=[*command.steps[:at], late, *command.steps[at:]]))
    assert names(offline) == {"1"}


def test_what_is_checked_is_the_copy_and_not_what_its_owner_makes_of_the_source(
    offline: Deployment, small_models: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(small_models / "half" / "2", tmp_path / "source")
    digest, bad = digest_of(source), shutil.copytree(source, tmp_path / "bad")
    (bad / "saved_model.pb").write_bytes(b"garbage")
    command = publish(offline, "publish", source)
    copied, *rest = command.steps
    assert copied.name == "copy"
    swap = Step("somebody writes", lambda: str(shutil.copytree(bad, source, dirs_exist_ok=True)))
    do(offline, replace(command, steps=[copied, swap, *rest]))
    assert digest_of(offline.store.path(2)) == digest
    # Good when it was looked at first, and bad when it is copied.
    shutil.copytree(small_models / "half" / "3", source, dirs_exist_ok=True)
    late = publish(offline, "publish", source)
    with pytest.raises(Refused, match="copy: Its files changed while they were copied"):
        do(offline, replace(late, steps=[swap, *late.steps]))
    assert names(offline) == {"1", "2"}


def test_the_number_of_a_deleted_version_is_not_used_again(
    offline: Deployment, small_models: Path
) -> None:
    for version in (2, 3):
        candidate = small_models / "half" / str(version)
        believe(offline, candidate)
        do(offline, publish(offline, "publish", candidate))
        offline.store.delete(version)
    assert names(offline) == {"1"}
    assert max(offline.history.versions()) == 3


def test_the_number_of_a_version_that_was_copied_by_hand_and_deleted_is_not_used_again(
    checked: Deployment,
) -> None:
    models.publish(checked.store.path(3), checked.store.folder, 20)
    do(checked, commands.retire(checked, "retire 20 --delete", 20, delete=True))
    assert 20 not in checked.store.versions()
    assert max(checked.history.versions()) == 20


def test_a_number_that_is_taken_is_never_overwritten(
    offline: Deployment, small_models: Path
) -> None:
    draft = offline.store.draft(small_models / "half" / "2", "x" * 64)
    with pytest.raises(Refused, match="exists, and a version never changes"):
        offline.store.adopt(draft, 1)


def test_a_configuration_that_loads_all_is_told_what_it_has(offline: Deployment) -> None:
    text = offline.config.file.read_text().replace("specific { versions: 1 }", "all {}")
    offline.config.file.write_text(text)
    source = shutil.copytree(offline.store.path(1), offline.store.folder.parent / "candidate")
    (source / "note").write_text("another one")
    believe(offline, source)
    do(offline, publish(offline, "publish", source))
    assert offline.config.pinned
    assert offline.layout().versions == {1}


def test_other_signatures_are_refused(small_models: Path) -> None:
    half = small_models / "half" / "1"
    with pytest.raises(Refused, match=r"signature serving_default differs. Expected .*input x"):
        check(small_models / "strings" / "1", half, None)
    assert check(small_models / "half" / "2", half, None)["golden"] == "no golden photos"


def test_a_version_whose_warm_up_fails_is_refused(small_models: Path, tmp_path: Path) -> None:
    draft = shutil.copytree(small_models / "half" / "1", tmp_path / "draft")
    models.write_warmup(draft, {"wrong": np.array([1], np.float32)})
    with pytest.raises(StatusError):
        check(draft, None, None)


def test_a_folder_of_golden_photos_that_is_not_there_is_refused(
    offline: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*where(offline), "--golden=typo", "publish", str(offline.store.path(1))]) == 1
    told = capsys.readouterr().err
    assert told == "Expected --golden to be a folder of CLASS/NAME.jpg. Received: typo.\n"


def test_golden_photos_must_be_answered_rightly(grpc_url: str, tmp_path: Path) -> None:
    client = connect(grpc_url)

    def ask(photos: Array) -> Mapping[str, Array]:
        inputs = {PHOTO: photos}
        return client.predict("us_bills", inputs, signature=BYTES_SIGNATURE).outputs

    for name in ("Other", "20"):
        (tmp_path / name).mkdir()
    mug = tmp_path / "Other" / "mug.jpg"
    mug.write_bytes(specimen.encode(specimen.other(), "JPEG"))
    assert judge(Golden(tmp_path), ask) == "1 golden photos right"
    shutil.copy(mug, tmp_path / "20" / "no bill.jpg")
    with pytest.raises(Refused, match=r"1 of 2 golden photos .*: 20/no bill\.jpg as Other"):
        judge(Golden(tmp_path), ask)
    with pytest.raises(Refused, match="No golden photos in"):
        Golden(tmp_path / "20")
    client.close()


def test_what_a_publication_that_was_killed_left_is_no_source(
    offline: Deployment, small_models: Path
) -> None:
    source = small_models / "half" / "2"
    left = offline.store.draft(source, digest_of(source))
    with pytest.raises(Refused, match=r"Received the unfinished copy of one: .*Publish the origin"):
        publish(offline, "publish", left)
    assert digest_of(left) == digest_of(source)


def test_a_key_that_is_not_there_is_told_before_anything_is_done(
    offline: Deployment, small_models: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="no key"):
        publish(offline, "publish", small_models / "half" / "2", tmp_path / "no key")


def test_a_name_that_is_no_text_is_published(offline: Deployment, tmp_path: Path) -> None:
    source = shutil.copytree(offline.store.path(1), tmp_path / "source")
    (source / os.fsdecode(b"a\xff")).write_text("")
    believe(offline, source)
    do(offline, publish(offline, "publish", source))
    assert digest_of(offline.store.path(2)) == digest_of(source)


def test_all_folders_of_a_number_are_deleted(offline: Deployment) -> None:
    for name in ("7", "007"):
        shutil.copytree(offline.store.path(1), offline.store.folder / name)
    offline.store.delete(7)
    assert names(offline) == {"1"}


def test_files_that_cannot_be_deleted_are_told(
    offline: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, **_: object) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    shutil.copytree(offline.store.path(1), offline.store.folder / "2")
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        with pytest.raises(PermissionError, match="not permitted"):
            offline.store.delete(2)
    assert names(offline) == {"1", ".retired-2"}
    offline.store.delete(2)
    assert names(offline) == {"1"}
