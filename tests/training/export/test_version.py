"""A version: its signatures, the files next to the graph, and how it is written to disk."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.rollout.checks.check import check
from serving.wire.messages_pb2 import PredictionLog
from tests import specimen
from tests.training.conftest import CLASSES, TINY_RECIPE
from training import fit
from training.__main__ import main
from training.data import dataset
from training.data.split import fingerprint, split
from training.export import version
from webapp.imaging.preprocessing import open_upright, to_tensor

PNG = specimen.encode(specimen.bill("20", width=700), "PNG")
JPEG = specimen.encode(specimen.bill("5", width=500, angle=30), "JPEG")
GIF = specimen.encode(specimen.bill("1", width=300), "GIF")
BMP = specimen.encode(specimen.other(width=100), "BMP")


@pytest.fixture(scope="module")
def signatures(small_version: Path) -> Any:
    loaded = tf.saved_model.load(str(small_version))
    yield loaded.signatures
    del loaded


def answer(signatures: Any, name: str, **inputs: Any) -> dict[str, Any]:
    tensors = {key: tf.constant(value) for key, value in inputs.items()}
    return {key: value.numpy() for key, value in signatures[name](**tensors).items()}


def pixels_of(*files: bytes) -> np.ndarray:
    return np.stack([to_tensor(open_upright(file)) for file in files])


def test_answers_are_ranked_calibrated_and_carry_their_class_names(signatures: Any) -> None:
    reply = answer(signatures, "serving_default", image=pixels_of(PNG, JPEG))
    assert reply["classes"].shape == reply["probabilities"].shape == (2, len(CLASSES))
    assert {name.decode() for name in reply["classes"][0]} == set(CLASSES)
    assert (np.diff(reply["probabilities"], axis=1) <= 0).all()
    np.testing.assert_allclose(reply["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert reply["accepted"].dtype == bool


def test_accepted_means_at_least_the_threshold_of_the_model_card(
    signatures: Any, small_version: Path
) -> None:
    card = json.loads((small_version / "assets.extra" / "model_card.json").read_text())
    reply = answer(signatures, "serving_default", image=pixels_of(PNG, JPEG, GIF, BMP))
    expected = reply["probabilities"][:, 0] >= np.float32(card["threshold"])
    np.testing.assert_array_equal(reply["accepted"], expected)


@pytest.mark.parametrize("file", [JPEG, PNG, GIF, BMP], ids=["jpeg", "png", "gif", "bmp"])
def test_bytes_get_the_answer_that_the_front_ends_tensor_gets(signatures: Any, file: bytes) -> None:
    from_bytes = answer(signatures, "serve_bytes", image_bytes=[file])
    from_tensor = answer(signatures, "serving_default", image=pixels_of(file))
    np.testing.assert_array_equal(from_bytes["classes"], from_tensor["classes"])
    np.testing.assert_allclose(
        from_bytes["probabilities"], from_tensor["probabilities"], atol=0.005
    )


def test_files_of_different_sizes_go_in_one_batch(signatures: Any) -> None:
    assert answer(signatures, "serve_bytes", image_bytes=[PNG, BMP])["accepted"].shape == (2,)


def test_explain_adds_a_heat_map_in_unit_range(signatures: Any) -> None:
    plain = answer(signatures, "serving_default", image=pixels_of(PNG))
    reply = answer(signatures, "explain", image=pixels_of(PNG))
    np.testing.assert_allclose(reply["probabilities"], plain["probabilities"], atol=1e-5)
    assert reply["heatmap"].shape == (1, 7, 7)
    assert 0 <= reply["heatmap"].min() <= reply["heatmap"].max() <= 1


def test_the_graph_answers_as_the_trained_network_does(
    signatures: Any, small_run: Path, small_version: Path
) -> None:
    model, facts = fit.load(small_run)
    card = json.loads((small_version / "assets.extra" / "model_card.json").read_text())
    logits = model(pixels_of(PNG), training=False).numpy()[0] / card["temperature"]
    expected = np.exp(logits) / np.exp(logits).sum()
    reply = answer(signatures, "serving_default", image=pixels_of(PNG))
    by_name = dict(zip(reply["classes"][0], reply["probabilities"][0], strict=True))
    got = [by_name[name.encode()] for name in facts["classes"]]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_warm_up_requests_cover_every_signature_alone_and_in_a_batch(
    small_version: Path,
) -> None:
    records = tf.data.TFRecordDataset(str(small_version / "assets.extra" / version.WARM_UP))
    seen = set()
    for record in records.as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "small"
        (tensor,) = request.inputs.values()
        seen.add((request.model_spec.signature_name, tensor.tensor_shape.dim[0].size))
    names = ("serving_default", "serve_bytes", "explain")
    assert seen == {(name, count) for name in names for count in (1, 8)}


def test_a_version_is_what_the_rollouts_take(small_version: Path) -> None:
    assert check(small_version, small_version, None)["growth_bytes"] > 0


def test_the_model_card_says_what_was_done_with_which_photos(
    small_version: Path, drawn_photos: Path
) -> None:
    card = json.loads((small_version / "assets.extra" / "model_card.json").read_text())
    assert card["classes"] == list(CLASSES)
    assert card["recipe"]["backbone"] == "tiny"
    assert card["photos"]["held_out"] == dict.fromkeys(CLASSES, 1)
    assert card["data_fingerprint"] == fingerprint(dataset.scan(drawn_photos, {}, []))
    assert card["measures"]["other_source"]["top_1"]["of"] == 24
    assert card["libraries"]["tensorflow"] == tf.__version__
    assert card["command"].startswith("python -m training")


def write_half_a_version(models: Path) -> None:
    with version.draft_beside(models) as draft:
        draft.mkdir()
        (draft / "half.pb").touch()
        raise OSError("disk full")


def test_a_version_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    with pytest.raises(OSError, match="disk full"):
        write_half_a_version(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["7"]
    with version.draft_beside(tmp_path) as draft:
        draft.mkdir()
        assert version.publish(draft, tmp_path) == tmp_path / "8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8"]


def test_a_full_disk_is_no_error_of_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tf_serving_warmup_requests").symlink_to("/dev/full")
    with pytest.raises(OSError, match="tf_serving_warmup_requests"):
        version.write_warm_up(
            tmp_path, "m", [("serving_default", "image", np.zeros((1, 8), np.uint8))]
        )


@pytest.mark.usefixtures("tiny_backbone")
def test_unreadable_files_among_the_photos_do_not_stop_the_export(
    drawn_photos: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(drawn_photos, photos)
    for label in CLASSES:
        for n in range(6):
            (photos / label / f"broken-{n}.jpg").write_text(f"no picture {label} {n}")
    _, held_out = split(dataset.scan(photos, {}, []), seed=1)
    assert any(photo.source == "broken" for photo in held_out)
    run = ["--run", str(tmp_path / "run")]
    assert main(["fit", str(photos), *run, *TINY_RECIPE]) == 0
    assert main(["export", str(photos), *run, "--models", str(tmp_path / "models")]) == 0
    assert (tmp_path / "models" / "1" / "saved_model.pb").is_file()


def test_photos_that_the_run_did_not_see_cannot_calibrate_it(
    small_run: Path, drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(drawn_photos), "--skip", "1", "--run", str(small_run)]
    assert main(["export", *arguments, "--models", str(tmp_path / "none")]) == 2
    assert "not the photos that the run was trained on" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
