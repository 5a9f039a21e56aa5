"""The servers of several processes start one a core."""

import importlib
import os

import pytest

pytest.importorskip("onnxruntime", reason="needs the packages of `make bench`")

from bench.contenders import network  # only where it is installed


@pytest.mark.parametrize(("cores", "workers"), [(3, 3), (None, 1)])
def test_there_is_a_worker_for_each_core(
    cores: int | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: cores)
        importlib.reload(network)
        found = network.WORKERS
    importlib.reload(network)
    assert found == workers
