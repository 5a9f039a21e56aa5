"""Batches of new views and of the rehearsal set, and the target outputs of each."""

from pathlib import Path

import numpy as np
import pytest

from training.evaluation import model_card
from training.export.calibration import softmax
from training.rehearsal import parts, rehearsal
from training.rehearsal.rehearsal import Rehearsal
from training.teaching.lessons import BATCH, NEW_SHARE, Before, Examples, Lessons

Given = tuple[Lessons, Before, Rehearsal]


@pytest.fixture
def given(small_version: Path) -> Given:
    card, kept = model_card.read(small_version), rehearsal.read(small_version)
    network = parts.of_version(small_version, card)
    before = Before(network, card["classes"], card["temperature"])
    new = Examples(np.ones((8, *kept.packed.shape[1:]), np.float32), np.array(["Ticket"] * 8))
    classes = [*card["classes"], "Ticket"]
    return Lessons(before, new, kept, classes, steps=3, seed=1), before, kept


def test_a_batch_has_its_share_of_new_views_and_the_same_seed_gives_the_same(given: Given) -> None:
    lessons, _, _ = given
    activations, targets = lessons[0]
    assert len(activations) == len(targets) == BATCH
    new = targets.argmax(1) == 4
    assert new.sum() == round(BATCH * NEW_SHARE)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(lessons[0][0], activations)
    assert not np.array_equal(lessons[1][0], activations)


def test_to_an_old_picture_it_is_to_say_what_the_version_says_where_that_is_right(
    given: Given,
) -> None:
    lessons, before, kept = given
    activations, targets = lessons[0]
    old = targets.argmax(1) != 4
    said = softmax(before.network.logits(activations[old]) / before.temperature)
    kept_rows = kept.activations(np.arange(len(kept.labels))).reshape(len(kept.labels), -1)
    for row, answer, target in zip(activations[old], said, targets[old], strict=True):
        (same,) = np.flatnonzero((kept_rows == row.ravel()).all(1))[:1]
        label = kept.labels[same]
        assert not kept.held_out[same]
        if label in ("", before.classes[answer.argmax()]):
            np.testing.assert_allclose(target[:4], answer, atol=1e-4)
        else:
            assert before.classes[target.argmax()] == label
