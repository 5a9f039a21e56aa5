"""A version exported again from another: the same answers, with the signatures of today's code."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.export.exported import Exported
from tests.training.export.test_second_look import framed, network
from training.__main__ import main
from training.export.calibration import Calibration
from training.export.signatures import write_saved_model
from training.export.version import warm_up_of, write_warm_up
from training.rehearsal import rehearsal

CLASSES = ["1", "5", "Other"]
CALIBRATION = Calibration(1.3, 0.5, 0.8)
PICTURES = np.stack([framed(0, 255), framed(255, 0), framed(9, 90)])


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of a tiny network, which looks twice at some pictures."""
    folder = tmp_path_factory.mktemp("first") / "bills" / "1"
    write_saved_model(folder, network(), CLASSES, CALIBRATION)
    write_warm_up(folder, "bills", warm_up_of(PICTURES[0]))
    card = {"classes": CLASSES, "command": "train", **CALIBRATION._asdict()}
    (folder / "assets.extra" / "model_card.json").write_text(json.dumps(card))
    rehearsal.file(folder).write_bytes(b"a rehearsal set")
    return folder


@pytest.fixture(scope="module")
def anew(version: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("anew") / "bills"
    assert main(["reexport", "--model", str(version), "--models", str(models)]) == 0
    return models / "1"


def test_it_answers_the_same_to_the_bit(version: Path, anew: Path) -> None:
    for signature in ("serving_default", "explain"):
        expected = Exported(version).ask(signature, PICTURES)
        found = Exported(anew).ask(signature, PICTURES)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)


def test_it_can_be_taught_as_the_other_could(anew: Path) -> None:
    assert rehearsal.file(anew).read_bytes() == b"a rehearsal set"


def test_its_card_is_that_of_the_other_and_says_what_made_it(version: Path, anew: Path) -> None:
    old, new = (
        json.loads((folder / "assets.extra" / "model_card.json").read_text())
        for folder in (version, anew)
    )
    made = new.pop("reexported")
    assert new == old
    assert made["command"].startswith("python -m training")
    assert set(made["libraries"]) == {"python", "tensorflow", "keras", "numpy", "pillow"}


def test_it_can_be_made_anew_again_and_asks_the_same_for_its_warm_up(
    version: Path, anew: Path, tmp_path: Path
) -> None:
    assert main(["reexport", "--model", str(anew), "--models", str(tmp_path)]) == 0
    expected = Exported(version).ask("explain", PICTURES)
    for name, value in Exported(tmp_path / "1").ask("explain", PICTURES).items():
        np.testing.assert_array_equal(value, expected[name])
    warm_ups = [
        (folder / "assets.extra" / "tf_serving_warmup_requests").read_bytes()
        for folder in (version, anew, tmp_path / "1")
    ]
    assert len(set(warm_ups)) == 1


def test_it_goes_beside_the_other_unless_told(version: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(version, tmp_path / "bills" / "4")
    assert main(["reexport", "--model", str(copied)]) == 0
    assert (tmp_path / "bills" / "5" / "saved_model.pb").is_file()


def test_it_can_be_given_names_which_the_next_one_keeps(version: Path, tmp_path: Path) -> None:
    names = {"5": {"en": "a fiver"}}
    (tmp_path / "names.json").write_text(json.dumps(names))
    arguments = ["reexport", "--models", str(tmp_path), "--model"]
    assert main([*arguments, str(version), "--names", str(tmp_path / "names.json")]) == 0
    assert main([*arguments, str(tmp_path / "1")]) == 0
    for number in ("1", "2"):
        card = json.loads((tmp_path / number / "assets.extra" / "model_card.json").read_text())
        assert card["names"] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"fiver": {"value": 5}}',
            r"Unknown class 'fiver'. Expected one of \['1', '5', 'Other'\]",
        ),
        ('{"5": {"value": "five"}}', "names.json: Class '5': expected `value` to be a number"),
        ("five", "names.json: Expecting value"),
        (None, "No such file"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    version: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    message: str,
) -> None:
    file = tmp_path / "names.json"
    if text is not None:
        file.write_text(text)
    arguments = ["reexport", "--model", str(version), "--models", str(tmp_path / "models")]
    assert main([*arguments, "--names", str(file)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "models").exists()


def test_what_is_no_version_is_refused(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reexport = ["reexport", "--models", str(tmp_path / "models"), "--model"]
    assert main([*reexport, str(tmp_path)]) == 2
    assert "has no model card" in capsys.readouterr().err
    (tmp_path / "assets.extra").mkdir()
    card = tmp_path / "assets.extra" / "model_card.json"
    card.write_text((version / "assets.extra" / "model_card.json").read_text())
    assert main([*reexport, str(tmp_path)]) == 2
    assert "holds no SavedModel" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()
