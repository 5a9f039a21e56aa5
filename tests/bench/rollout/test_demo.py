"""`make rollout-demo` runs to its end: a refusal, a trial, a promotion, and a rollback."""

from __future__ import annotations

import subprocess
import sys

from tests.support.servers import ROOT

VERSION_2_IS_STABLE = ["2", "yes", "AVAILABLE", "stable", "100", "%"]
VERSION_1_IS_GONE = ["1", "yes", "END", "-", "-"]


def test_the_demo_shows_the_whole_way_of_a_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.rollout.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "All is as it was before." in done.stdout.partition("publish half-copied")[2]
    assert "next version: 2, in models/us_bills/2" in done.stdout
    answered = [line for line in done.stdout.splitlines() if line.startswith("# 50 people ask: ")]
    assert [line.partition(": ")[2] for line in answered] == [
        "45 by stable, version 1; 5 by canary, version 2",
        "50 by stable, version 2",
        "50 by stable, version 1",
    ]
    versions = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    rows = versions[-2:]
    assert rows[0][:6] == VERSION_2_IS_STABLE
    assert rows[1][:5] == VERSION_1_IS_GONE
