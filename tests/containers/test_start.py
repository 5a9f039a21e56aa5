"""How `start.sh` chooses the precision in which a model server is started."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import ROOT

SCRIPT = ROOT / "serving" / "config" / "start.sh"
BFLOAT16 = "--mixed_precision=bfloat16"
SAPPHIRE_RAPIDS = "flags\t\t: fpu avx2 avx512f avx512_bf16 avx512_fp16 amx_tile amx_bf16\n"
ZEN_4 = "flags\t\t: fpu avx2 avx512f avx512_bf16\nbugs\t\t: sysret_ss_attrs\n"
ZEN_3 = "flags\t\t: fpu avx2 fma vaes\n"
CASCADE_LAKE = "flags\t\t: fpu avx2 avx512f avx512_vnni\n"
LOOKS_LIKE_IT = "model name\t: not-avx512_bf16\nflags\t\t: avx512_bf16x xamx_bf16\n"
NEOVERSE_V1 = "Features\t: fp asimd sve i8mm bf16\n"


def start(folder: Path, cpuinfo: str | None, precision: str | None) -> list[str]:
    """The command that the script runs where the processor is such a one."""
    file = folder / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    script = folder / "start.sh"
    script.write_text(SCRIPT.read_text().replace("/proc/cpuinfo", str(file)))
    env = {name: value for name, value in os.environ.items() if name != "US_BILLS_PRECISION"}
    env |= {} if precision is None else {"US_BILLS_PRECISION": precision}
    command = ["bash", str(script), "printf", "%s\\n", "--port=1", "two words"]
    return subprocess.check_output(command, env=env, text=True).splitlines()


@pytest.mark.parametrize("cpuinfo", [SAPPHIRE_RAPIDS, ZEN_4, ZEN_4 * 64])
@pytest.mark.parametrize("precision", [None, "", "auto"])
def test_by_itself_it_is_bfloat16_where_the_processor_computes_it(
    tmp_path: Path, cpuinfo: str, precision: str | None
) -> None:
    assert start(tmp_path, cpuinfo, precision) == ["--port=1", "two words", BFLOAT16]


@pytest.mark.parametrize("cpuinfo", [ZEN_3, CASCADE_LAKE, LOOKS_LIKE_IT, NEOVERSE_V1, "", None])
def test_by_itself_it_is_float32_elsewhere_and_where_nothing_tells(
    tmp_path: Path, cpuinfo: str | None
) -> None:
    assert start(tmp_path, cpuinfo, "auto") == ["--port=1", "two words"]


def test_either_can_be_forced(tmp_path: Path) -> None:
    assert BFLOAT16 in start(tmp_path, ZEN_3, "bfloat16")
    assert BFLOAT16 not in start(tmp_path, ZEN_4, "float32")


@pytest.mark.parametrize("precision", ["float16", "BFLOAT16", "auto "])
def test_another_value_starts_nothing_and_is_named_with_what_was_expected(precision: str) -> None:
    done = subprocess.run(
        ["bash", str(SCRIPT), "echo", "started"],
        env=os.environ | {"US_BILLS_PRECISION": precision},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (255, "")
    assert f"expects auto, bfloat16 or float32. Received: '{precision}'" in done.stderr
