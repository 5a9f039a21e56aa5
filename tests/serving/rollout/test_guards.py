"""A version that answers a wrong tensor, or crashes on one, is refused before a server loads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from serving.rollout.checks.check import check
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.state.deployment import Deployment
from tests.serving import models
from tests.serving.models import guarded
from tests.serving.rollout.conftest import do

SIDES = (8, 8, 3)
Body = Callable[[Any], Any]


def picture_version(path: Path, body: Body) -> Path:
    """A version that takes float32 [N,8,8,3], as its signature says and nothing enforces."""
    spec = tf.TensorSpec([None, *SIDES], tf.float32, "image")
    call = tf.function(lambda image: {"y": body(image)}, input_signature=[spec])
    return models.save_signatures(path, None, {"serving_default": call})


def file_version(path: Path, body: Body) -> Path:
    """A version that takes string [N], as `serve_bytes`."""
    spec = tf.TensorSpec([None], tf.string, "image_bytes")
    call = tf.function(lambda image_bytes: {"y": body(image_bytes)}, input_signature=[spec])
    return models.save_signatures(path, None, {"serve_bytes": call})


def foldable(image: Any) -> Any:
    """An assertion about what is known when the graph is optimized, if one believes signatures."""
    sides = [tf.shape(image)[place] == side for place, side in enumerate(SIDES, 1)]
    with tf.control_dependencies([tf.debugging.Assert(side, ["wrong"]) for side in sides]):
        return tf.identity(image)


def decode_first(files: Any) -> Any:
    return tf.reduce_mean(tf.io.decode_image(files[0]))


def decode_all_small(files: Any) -> Any:
    """Refuses large files and what is no list, and answers any number of rows."""
    small = tf.reduce_all(tf.strings.length(files) < 5_000)
    files = tf.ensure_shape(files, (None,))
    with tf.control_dependencies([tf.debugging.Assert(small, ["too large"])]):
        return tf.map_fn(
            lambda file: tf.reduce_mean(tf.cast(tf.io.decode_image(file), tf.float32)),
            files,
            fn_output_signature=tf.float32,
        )


def test_a_version_that_guards_itself_passes(tmp_path: Path) -> None:
    version = picture_version(tmp_path / "1", lambda image: guarded(image, SIDES))
    assert check(version, None, None)["growth_bytes"] > 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (lambda image: image, r"should refuse image of shape \[\] as an invalid argument"),
        (foldable, r"image of shape \[(?!65)"),
        (
            lambda image: tf.ensure_shape(image, (None, *SIDES)),
            r"image of shape \[65, 8, 8, 3\] as",
        ),
        (lambda image: guarded(image, SIDES, largest=500), r"image of shape \[65, 8, 8, 3\] as"),
    ],
    ids=["none at all", "one that TensorFlow optimizes away", "any batch", "too large a batch"],
)
def test_a_version_that_answers_a_wrong_picture_is_refused(
    tmp_path: Path, body: Body, words: str
) -> None:
    version = picture_version(tmp_path / "1", body)
    with pytest.raises(Refused, match=f"does not guard itself: serving_default .*{words}"):
        check(version, None, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (lambda files: tf.strings.length(files), r"image_bytes of shape \[\] as"),
        (lambda files: guarded(tf.strings.length(files), ()), "PNG of 8000 x 8000 pixels as"),
        (lambda files: decode_first(guarded(files, ())), "PNG of 8000 x 8000 pixels as"),
        (decode_all_small, r"image_bytes of shape \[65\] as"),
    ],
    ids=["none at all", "a picture not looked at", "a picture of any size", "any number of rows"],
)
def test_a_version_that_takes_any_file_is_refused(tmp_path: Path, body: Body, words: str) -> None:
    version = file_version(tmp_path / "1", body)
    with pytest.raises(Refused, match=f"does not guard itself: serve_bytes .*{words}"):
        check(version, None, None)


def test_a_version_that_ends_the_process_is_refused_with_a_sentence(
    offline: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    text = offline.config.file.read_text()
    offline.config.file.write_text(text.replace('version_labels { key: "stable" value: 1 }', ""))
    kernel = tf.constant(0.1, tf.float32, (3, 3, 3, 4))
    version = picture_version(tmp_path / "1", lambda image: tf.nn.conv2d(image, kernel, 1, "SAME"))
    with pytest.raises(Refused, match="sent it wrong tensors was ended by SIGABRT, as a model"):
        do(offline, publish(offline, "publish", version))


def test_inputs_that_declare_no_size_are_not_tried(small_models: Path) -> None:
    for model in ("half", "strings"):
        assert check(small_models / model / "1", None, None)["golden"] == "no golden photos"
