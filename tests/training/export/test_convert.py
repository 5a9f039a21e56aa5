"""A version as ONNX and as LiteRT answers as the SavedModel does, second look included."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import specimen
from tests.training.conftest import CLASSES
from tests.training.export.exported import Exported
from training.__main__ import main
from training.evaluation import model_card
from training.export.convert import SUFFIXES, described_in
from webapp.imaging.preprocessing import open_upright, to_tensor

Ask = Callable[[np.ndarray], dict[str, np.ndarray]]

DRAWN = [specimen.bill("20", width=700), specimen.bill("5", width=300, angle=30), specimen.other()]
PICTURES = np.stack([to_tensor(open_upright(specimen.encode(each, "PNG"))) for each in DRAWN])


def of_onnx(file: Path) -> Ask:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the packages of `make test`")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(None, {"image": images}), strict=True))


def of_litert(file: Path) -> Ask:
    # Not the usual XNNPACK, which gets this tiny network wrong: no window of its convolution
    # touches the next one, at a stride of 32, which no real network has.
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    # TensorFlow's own copy of the interpreter, which points to the package that succeeds it.
    with pytest.warns(UserWarning, match=r"tf\.lite\.Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(file), experimental_op_resolver_type=plain)
    runner = interpreter.get_signature_runner("serving_default")
    return lambda images: dict(runner(image=images))


ENGINES = {"onnx": of_onnx, "litert": of_litert}


@pytest.fixture(scope="module")
def version(drawn_photos: Path, small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that looks twice at whatever it is less sure of than 0.99, which is everything."""
    models = tmp_path_factory.mktemp("models") / "twice"
    arguments = ["--run", str(small_run), "--models", str(models), "--second-look", "0.99"]
    assert main(["export", str(drawn_photos), *arguments]) == 0
    return models / "1"


@pytest.fixture(scope="module", params=ENGINES)
def to(request: pytest.FixtureRequest) -> str:
    """The format; ONNX where its converter is installed."""
    if request.param == "onnx":
        pytest.importorskip("tf2onnx", reason="needs the packages of `make test`")
    return str(request.param)


@pytest.fixture(scope="module")
def converted(version: Path, to: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, made by the command."""
    file = tmp_path_factory.mktemp("converted") / "new" / f"bills.{to}"
    assert main(["convert", str(version), "--to", to, "--output", str(file)]) == 0
    return file


def expected(version: Path) -> dict[str, np.ndarray]:
    """What the SavedModel answers, its probabilities in the order of the card's classes."""
    found = Exported(version).ask("serving_default", PICTURES)
    names = [[name.decode() for name in row] for row in found["classes"]]
    classes = model_card.read(version)["classes"]
    order = np.array([[row.index(name) for name in classes] for row in names])
    ranked = found["probabilities"]
    return {
        "probabilities": np.take_along_axis(ranked, order, 1),
        "accepted": found["accepted"],
    }


@pytest.mark.parametrize("batch", [1, 3])
def test_it_answers_as_the_saved_model_does(
    converted: Path, version: Path, to: str, batch: int
) -> None:
    answers = ENGINES[to](converted)(PICTURES[:batch])
    wanted = expected(version)
    assert answers.keys() == wanted.keys()
    np.testing.assert_allclose(answers["probabilities"], wanted["probabilities"][:batch], atol=1e-3)
    np.testing.assert_array_equal(answers["accepted"], wanted["accepted"][:batch])


def test_a_file_beside_it_names_the_classes_and_what_was_left_out(
    converted: Path, version: Path
) -> None:
    about = json.loads(described_in(converted).read_text(encoding="utf-8"))
    card = model_card.read(version)
    assert about["classes"] == list(CLASSES)
    for name in ("temperature", "threshold", "second_look_below"):
        assert about[name] == card[name]
    assert any("heat map" in part for part in about["left_out"])
    assert not any("second look" in part for part in about["left_out"])


def test_each_format_has_a_description_of_its_own() -> None:
    both = {described_in(Path(f"us_bills-1{suffix}")).name for suffix in SUFFIXES.values()}
    assert both == {"us_bills-1.onnx.json", "us_bills-1.tflite.json"}


def test_onnx_has_that_in_its_metadata_too(version: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="needs the packages of `make test`")
    onnx = pytest.importorskip("onnx", reason="needs the packages of `make test`")
    file = tmp_path / "bills.onnx"
    assert main(["convert", str(version), "--to", "onnx", "--output", str(file)]) == 0
    found: dict[str, Any] = {
        entry.key: json.loads(entry.value) for entry in onnx.load(file).metadata_props
    }
    assert found == json.loads(described_in(file).read_text(encoding="utf-8"))


def test_one_look_is_another_answer_and_says_so(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bills.tflite"
    arguments = ["--to", "litert", "--output", str(file), "--one-look"]
    assert main(["convert", str(version), *arguments]) == 0
    assert re.search(r"^left out: the second look", capsys.readouterr().out, re.MULTILINE)
    once = of_litert(file)(PICTURES)["probabilities"]
    assert np.abs(once - expected(version)["probabilities"]).max() > 1e-3


def test_without_its_package_onnx_is_refused_with_what_to_install(
    version: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # None in this table is how Python remembers that a module cannot be imported.
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    file = tmp_path / "bills.onnx"
    assert main(["convert", str(version), "--to", "onnx", "--output", str(file)]) == 2
    assert "make .venv/.convert" in capsys.readouterr().err
    assert not file.exists()


def test_what_is_no_version_is_not_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(tmp_path), "--to", "litert"]) == 2
    assert "has no model card" in capsys.readouterr().err
