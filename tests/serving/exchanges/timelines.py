"""The changes on disk in the recorded timelines, by their names in the recording."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.serving import models
from tests.serving.exchanges.recorded import Case
from tests.serving.exchanges.stages import cut_version

SLOW_ROUNDS = 3000
"""Of a long warm-up: enough to look around meanwhile."""

HELD_ROUNDS = 12_000
"""Of a long request: a version has to load meanwhile, also where rounds are quick."""

_ODD_NAMES = ["+4", "-3", ".6", "0", "0x7", "1", "1.bak", "2_tmp", "5 ", "8.0",
              "99999999999999999999", "abc", "v2"]  # fmt: skip
_FIRST: Mapping[str, Mapping[str, str]] = {
    "603": {"1": "half/1", "2": "half/2"},
    "604": {"1": "half/1", "2": "half/2"},
    "605": {"1": "half/1", "2": "half/2"},
    "619": dict.fromkeys(_ODD_NAMES, "half/2"),
    "620": dict.fromkeys(_ODD_NAMES, "half/2"),
    "622": {"007": "half/2", "5": "half/3"},
    "623": {"007": "half/2", "5": "half/3"},
    "624": {"007": "half/2", "7": "half/1"},
    "625": {"007": "half/2", "7": "half/1"},
    "626": {"0": "half/2"},
    "627": {"0": "half/2"},
    "640": {"1": "slow/1"},
    "647": {"1": "slow/1"},
}


class Disk:
    """The base path of a recorded case."""

    def __init__(self, base: Path, built: Path) -> None:
        self._base = base
        self._built = built

    def begin(self, case: Case) -> None:
        """Puts in place what was there at the start."""
        for name, source in _FIRST.get(case.name[:3], {"1": "half/1"}).items():
            shutil.copytree(self._built / source, self._base / name)

    def act(self, action: str) -> None:
        """Does what a recording says was done."""
        for pattern, deed in self._deeds().items():
            if match := re.fullmatch(pattern, action):
                deed(*match.groups())
                return
        raise ValueError(f"Unknown action: {action}")

    def _deeds(self) -> dict[str, Callable[..., object]]:
        return {
            r"(?:good )?version (\d+) appears": self._appear,
            r"version (10) appears \(contents of 1\)": lambda v: self._appear(v, "half/1"),
            r"directory (\d+) deleted.*": lambda v: shutil.rmtree(self._base / v),
            r"corrupt version (\d+) appears": lambda v: self._broken(v, "garbage"),
            r"bad version (\d+) appears: (\w+)": self._broken,
            r"file (\d+) appears": lambda v: (self._base / v).write_text(""),
            r"link (\d+) appears": lambda v: (self._base / v).symlink_to(self._built / "half/3"),
            r"base path deleted": lambda: shutil.rmtree(self._base),
            r"base path back with (\d+)": self._appear,
            r"slow copy starts": self._copy_slowly,
            r"contents of directory 1 replaced by half_plus_4": self._replace,
        }

    def _appear(self, version: str, source: str = "") -> None:
        if self._base.name == "roll":
            models.publish(self._built / (source or f"half/{version}"), self._base, int(version))
            return
        draft = self._base / "draft"
        shutil.copytree(self._built / "slow/1", draft)
        if self._base.name == "slowroll":
            name = "n" if version == "2" else "nope"
            models.write_warmup(draft, {name: np.array([SLOW_ROUNDS], np.int32)})
        draft.rename(self._base / version)

    def _broken(self, version: str, fault: str) -> None:
        draft = self._base / "draft"
        if fault == "empty":
            draft.mkdir()
        elif fault == "truncpb":
            cut_version(self._built / "half/2", draft)
        else:
            shutil.copytree(self._built / "half/2", draft)
        if fault in ("garbage", "emptypb"):
            text = b"this is not a saved model" if fault == "garbage" else b""
            (draft / "saved_model.pb").write_bytes(text)
        if fault == "novars":
            shutil.rmtree(draft / "variables")
        if fault == "truncvars":
            (draft / "variables/variables.data-00000-of-00001").write_bytes(b"")
        draft.rename(self._base / version)

    def _copy_slowly(self) -> None:
        """The pace is the recording's: the server looks once a second."""
        source, target = self._built / "half/2", self._base / "2"
        target.mkdir()
        time.sleep(1.5)
        shutil.copy(source / "saved_model.pb", target)
        time.sleep(1.5)
        shutil.copytree(source / "variables", target / "variables")

    def _replace(self) -> None:
        shutil.rmtree(self._base / "1" / "variables")
        shutil.copytree(self._built / "half/3", self._base / "1", dirs_exist_ok=True)
