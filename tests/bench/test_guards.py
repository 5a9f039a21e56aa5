"""The cost of guards is measured against a version that is equal except that it has no guards."""

from pathlib import Path

import numpy as np
import pytest

from bench.guards import without_guards
from tests.training.export.exported import Exported

SHIPPED = Path("models/us_bills/1")


def test_without_guards_a_version_answers_the_same_and_takes_more(tmp_path: Path) -> None:
    guarded, bare = Exported(SHIPPED), Exported(without_guards(SHIPPED, tmp_path))
    noise = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    for signature in guarded.of_pictures:
        ours, theirs = (version.ask(signature, noise) for version in (guarded, bare))
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert np.array_equal(value, theirs[name])
    many = np.zeros((65, 224, 224, 3), np.uint8)
    assert "N from 1 to 64" in guarded.error("serving_default", many)
    assert bare.ask("serving_default", many)["probabilities"].shape == (65, 7)


def test_a_version_without_guards_is_told_from_one_with_them(tmp_path: Path) -> None:
    bare = without_guards(SHIPPED, tmp_path)
    with pytest.raises(ValueError, match=r"Expected a guard for each of .*serve_bytes"):
        without_guards(bare, tmp_path / "again")
