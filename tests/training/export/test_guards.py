"""The graph itself refuses wrong tensors, before any kernel processes them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.export.exported import Exported
from training.counting.graph import counter
from training.export.guards import LARGEST_BATCH

SHIPPED = Path("models/us_bills")
RIGHT = (1, 224, 224, 3)
VERSIONS = {
    "us_bills/1": (224, LARGEST_BATCH, ["explain", "serving_default"]),
    "us_bills/2": (224, LARGEST_BATCH, ["explain", "serving_default"]),
    "us_bills_count/1": (448, counter.LARGEST_BATCH, ["serving_default"]),
}
"""The side of the picture that a version takes, the most of them, and the signatures for them."""


def wrong_shapes(side: int, most: int) -> list[tuple[int, ...]]:
    right = (1, side, side, 3)
    return [
        *[(1,) * rank for rank in range(7)],
        *[(side, side, 3), (side, side), (3,), (*right, 1), (1, *right), (1, 3, side, side)],
        *[(1, side - 1, side, 3), (1, side, side + 1, 3), (1, side, side, 1), (1, side, side, 4)],
        *[(1, 0, 0, 0), (0, side, side, 3), (most + 1, side, side, 3)],
    ]


@pytest.mark.parametrize("onednn", ["0", "1"], ids=["without oneDNN", "with oneDNN"])
@pytest.mark.parametrize("version", VERSIONS)
def test_tensors_of_other_shapes_are_refused_and_the_process_lives(
    version: str, onednn: str
) -> None:
    side, most, signatures = VERSIONS[version]
    wrong, right = wrong_shapes(side, most), (1, side, side, 3)
    shapes = [",".join(map(str, shape)) or "-" for shape in [*wrong, right]]
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.exported", SHIPPED.parent / version, *shapes],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, *_ in answers] == signatures * len(shapes)
    refused, answered = answers[: -len(signatures)], answers[-len(signatures) :]
    expected = f"Expected image of shape [N, {side}, {side}, 3] with N from 1 to {most}."
    for _, shape, error in refused:
        received = " ".join(map(str, shape))
        assert error.startswith("INVALID_ARGUMENT")
        assert expected in error
        assert f"Received the shape] [{received}]" in error
    assert {error for *_, error in answered} == {""}


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
