"""Reading a PyTorch state dict without PyTorch."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from training.network.backbones import imagenet_state_dict
from training.network.torch_pickle import read_state_dict


def test_the_published_file_holds_the_weights_of_sixteen_blocks() -> None:
    state = imagenet_state_dict()
    assert {name.split(".")[1] for name in state if name.startswith("_blocks")} == {
        str(index) for index in range(16)
    }
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert state["_conv_stem.weight"].dtype == np.float32


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(b"not a pickle")
    with pytest.raises(ValueError, match=r"model\.pth is no PyTorch state dict"):
        read_state_dict(tmp_path / "model.pth")


def test_a_pickle_that_would_run_code_is_refused_before_it_does(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "was_here"),))  # type: ignore[return-value]

    (tmp_path / "model.pth").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match="unexpected name"):
        read_state_dict(tmp_path / "model.pth")
    assert not (tmp_path / "was_here").exists()
