"""One small version, trained and exported by the command line on drawn pictures."""

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import keras
import pytest

from tests import specimen
from training.__main__ import main
from training.network import backbones

CLASSES = ("1", "5", "20", "Other")
_TWO_STEPS = ("--head-views", "8", "--views", "8", "--batch", "4", "--top-layers", "4")
TINY_RECIPE = ("--backbone", "tiny", "--weights", "none", *_TWO_STEPS)
RESNET_RECIPE = ("--backbone", "resnet50v2", "--weights", "none", *_TWO_STEPS)


@pytest.fixture(scope="session")
def tiny_backbone() -> Iterator[None]:
    """An additional backbone for `TINY_RECIPE`, for tests that do not depend on the network."""

    def build(_: str) -> keras.Model:
        pixels = keras.Input(backbones.INPUT_SHAPE, name="pixels")
        features = keras.layers.Conv2D(8, 3, 32, padding="same", name="conv")(pixels)
        return keras.Model(
            pixels, keras.layers.BatchNormalization(name="norm")(features), name="tiny"
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            backbones.BACKBONES, "tiny", backbones.Backbone(build, 2, taught_behind="conv")
        )
        yield


def interrupt(*_: object) -> None:
    """Stands for a function within which a person presses Ctrl-C."""
    raise KeyboardInterrupt


def save_bills(folder: Path, label: str, *names: str) -> None:
    """Writes small drawn bills, all different, into a class's sub-folder."""
    (folder / label).mkdir(parents=True, exist_ok=True)
    for name in names:
        seed = crc32(f"{label}/{name}".encode())
        drawn = specimen.bill(label, width=96, angle=seed % 170, seed=seed)
        (folder / label / name).write_bytes(specimen.encode(drawn, "JPEG"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten drawn bills of each of three classes, of the sources `a` and `b`."""
    for label in ("5", "10", "Other"):
        save_bills(tmp_path, label, *(f"{source}-{n}.jpg" for source in "ab" for n in range(5)))
    return tmp_path


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six drawn pictures of each of four classes."""
    folder = tmp_path_factory.mktemp("photos")
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir()
        for n in range(6):
            seed = 6 * number + n
            drawn = (
                specimen.other(width=200, seed=seed).rotate(20 * n)
                if label == "Other"
                else specimen.bill(label, width=200, angle=7 * seed, seed=seed)
            )
            (folder / label / f"drawn-{n}.png").write_bytes(specimen.encode(drawn, "PNG"))
    return folder


@pytest.fixture(scope="session")
def small_run(
    drawn_photos: Path, tiny_backbone: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny backbone after two steps of each stage."""
    run = tmp_path_factory.mktemp("runs") / "small"
    assert main(["fit", str(drawn_photos), "--run", str(run), *TINY_RECIPE]) == 0
    return run


@pytest.fixture(scope="session")
def small_version(
    drawn_photos: Path, small_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`<tmp>/small/1`, exported from `small_run`."""
    models = tmp_path_factory.mktemp("models") / "small"
    arguments = [
        "--run",
        str(small_run),
        "--models",
        str(models),
        "--measured-on",
        str(drawn_photos),
        "--second-look",
        "0",
    ]
    assert main(["export", str(drawn_photos), *arguments]) == 0
    return models / "1"
