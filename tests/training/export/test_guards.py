"""Wrong tensors are refused by the graph itself, before any kernel sees them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.export.exported import Exported
from training.export.guards import LARGEST_BATCH

SHIPPED = Path("models/us_bills")
RIGHT = (1, 224, 224, 3)
WRONG = [
    *[(1,) * rank for rank in range(7)],
    *[(224, 224, 3), (224, 224), (3,), (*RIGHT, 1), (1, *RIGHT), (1, 3, 224, 224)],
    *[(1, 223, 224, 3), (1, 224, 225, 3), (1, 224, 224, 1), (1, 224, 224, 4), (1, 0, 0, 0)],
    *[(0, 224, 224, 3), (LARGEST_BATCH + 1, 224, 224, 3)],
]


@pytest.mark.parametrize("onednn", ["0", "1"], ids=["without oneDNN", "with oneDNN"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_tensors_of_other_shapes_are_refused_and_the_process_lives(
    version: str, onednn: str
) -> None:
    shapes = [",".join(map(str, shape)) or "-" for shape in [*WRONG, RIGHT]]
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.exported", SHIPPED / version, *shapes],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2 * len(shapes)
    for _, shape, error in answers[:-2]:
        received = " ".join(map(str, shape))
        assert error.startswith("INVALID_ARGUMENT")
        assert "Expected image of shape [N, 224, 224, 3] with N from 1 to 64." in error
        assert f"Received the shape] [{received}]" in error
    assert [error for *_, error in answers[-2:]] == ["", ""]


@pytest.fixture(scope="module")
def shipped() -> Exported:
    return Exported(SHIPPED / "1")


@pytest.mark.parametrize("shape", [(), (0,), (LARGEST_BATCH + 1,), (1, 1), (1,) * 6])
def test_files_of_another_shape_are_refused(shipped: Exported, shape: tuple[int, ...]) -> None:
    error = shipped.error("serve_bytes", np.full(shape, b"", np.object_))
    assert error.startswith("INVALID_ARGUMENT")
    assert "Expected image_bytes of shape [N] with N from 1 to 64." in error
    assert f"Received the shape] [{' '.join(map(str, shape))}]" in error


@pytest.mark.parametrize("signature", ["serving_default", "explain"])
def test_the_largest_batch_is_answered(shipped: Exported, signature: str) -> None:
    answer = shipped.ask(signature, np.zeros((LARGEST_BATCH, *RIGHT[1:]), np.uint8))
    assert answer["probabilities"].shape == (LARGEST_BATCH, 7)
