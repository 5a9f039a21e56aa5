"""A version keeps activations, not pictures, of a sample of its photos from all sources."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.servers import ROOT
from training.__main__ import main
from training.data.dataset import OTHER, Photo
from training.evaluation import model_card
from training.rehearsal import parts, rehearsal
from training.rehearsal.rehearsal import NO_CLASS, choose, packed, together


def test_it_has_all_sources_sides_and_kinds_however_few_photos_they_have() -> None:
    photos = [Photo(Path(f"many-{n}"), "5", "many", side="front") for n in range(90)]
    photos += [Photo(Path("many-90"), "5", "many", side="back"), Photo(Path("few-1"), "5", "few")]
    photos += [Photo(Path(f"coin-{n}"), OTHER, "many", kind="coin") for n in range(50)]
    chosen = choose(photos, 40, np.random.default_rng(0))
    assert Counter(photo.label for photo in chosen) == {"5": 24, OTHER: 16}
    assert Counter((p.source, p.side) for p in chosen if p.label == "5") == {
        ("many", "front"): 8,
        ("many", "back"): 8,
        ("few", ""): 8,
    }


def test_activations_come_back_but_for_a_step() -> None:
    activations = np.random.default_rng(0).normal(0, [1, 30], (50, 3, 3, 2)).astype(np.float32)
    kept = packed(activations, np.array(["5"] * 50), np.zeros(50, bool))
    got = kept.activations(np.arange(50))
    inside = (got > kept.low) & (got < kept.low + 255 * kept.step)
    assert inside.mean() > 0.95
    assert np.abs(got - activations)[inside].max() <= kept.step.max() / 2 + 1e-4


def test_two_sets_become_one_in_the_steps_of_the_first() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        packed(
            rng.normal(0, scale, (20, 2, 2, 3)).astype(np.float32),
            np.array([label] * 20),
            np.zeros(20, bool),
        )
        for scale, label in ((2, "5"), (1, "10"))
    )
    both = together(one, other)
    assert Counter(both.labels.tolist()) == {"5": 20, "10": 20}
    np.testing.assert_allclose(
        both.activations(np.arange(20, 40)), other.activations(np.arange(20)), atol=one.step.max()
    )


def test_an_export_writes_it_where_servers_do_not_look(small_version: Path) -> None:
    kept = rehearsal.read(small_version)
    assert rehearsal.file(small_version) == small_version / "assets.extra" / "rehearsal.npz"
    assert set(kept.labels.tolist()) - {NO_CLASS} == {"1", "5", "20", OTHER}
    assert kept.held_out.mean() == pytest.approx(0.2, abs=0.05)


def test_its_numbers_are_what_the_versions_network_makes_of_pictures(small_version: Path) -> None:
    card, kept = model_card.read(small_version), rehearsal.read(small_version)
    network = parts.of_version(small_version, card)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3), np.uint8)
    np.testing.assert_allclose(
        network.logits(network.activations(pixels)),
        network.whole.predict(pixels, verbose=0),
        atol=1e-4,
    )
    assert kept.packed.shape[1:] == network.bottom.output.shape[1:]


def test_a_version_without_one_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m training rehearse"):
        rehearsal.read(tmp_path)


@pytest.mark.parametrize("bytes_left", [0, 10, 1_000, -100])
def test_a_set_that_was_cut_off_is_refused_with_how_to_make_it_anew(
    small_version: Path, tmp_path: Path, bytes_left: int
) -> None:
    whole = rehearsal.file(small_version).read_bytes()
    rehearsal.file(tmp_path).parent.mkdir()
    rehearsal.file(tmp_path).write_bytes(whole[:bytes_left])
    with pytest.raises(ValueError, match=r"is damaged; `rehearse` makes it anew\."):
        rehearsal.read(tmp_path)


def test_a_set_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    rehearsal.file(tmp_path).parent.mkdir()
    np.savez(rehearsal.file(tmp_path), labels=np.array(["5"]))
    with pytest.raises(ValueError, match="is damaged"):
        rehearsal.read(tmp_path)


def test_a_set_that_cannot_be_written_leaves_the_earlier_one(
    small_version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = rehearsal.read(small_version)
    kept.write(tmp_path)

    def cut_off(file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", cut_off)
    with pytest.raises(OSError, match="disk full"):
        kept.write(tmp_path)
    np.testing.assert_array_equal(rehearsal.read(tmp_path).labels, kept.labels)
    assert [file.name for file in rehearsal.file(tmp_path).parent.iterdir()] == [rehearsal.FILE]


def test_photos_of_a_class_that_the_version_does_not_know_are_refused(
    small_version: Path, drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rehearse", str(drawn_photos), "--model", str(small_version), "--relabel", "20=2"]
    assert main(command) == 2
    assert "knows 1, 5, 20, Other. Received photos of 2" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["1", "2"])
def test_that_of_a_shipped_version_is_small_and_has_all_its_classes(version: str) -> None:
    folder = ROOT / "models" / "us_bills" / version
    assert rehearsal.file(folder).stat().st_size <= 25_000_000
    kept = rehearsal.read(folder)
    classes = model_card.read(folder)["classes"]
    for part in (kept.labels[kept.held_out], kept.labels[~kept.held_out]):
        assert set(part.tolist()) == {*classes, NO_CLASS}
