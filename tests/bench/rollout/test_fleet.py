"""The simulation of many servers: how it ends, and which numbers of servers it takes."""

from __future__ import annotations

import time

import pytest

from bench.rollout import __main__ as rollout
from bench.rollout import fleet
from bench.rollout.simulated import SimulatedServer


@pytest.mark.parametrize(("right", "status"), [(1, 0), (2, 1)])
def test_a_wrong_version_that_answers_makes_it_fail(
    right: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sequence(made: fleet.Site, _late: SimulatedServer) -> dict[str, float]:
        """Rolls nothing out: all servers answer with version 1."""
        made.allowed = frozenset({right})
        time.sleep(0.3)
        return {}

    monkeypatch.setattr(fleet, "LOAD_SECONDS", 0.0)
    monkeypatch.setattr(fleet, "sequence", sequence)
    assert fleet.main(["8"]) == status


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 7])
def test_too_few_servers_are_refused(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        fleet.main(["50", "--", str(count)])
    assert f"expected at least 8 servers, received {count}" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--clients", "--servers", "--front-ends"])
def test_a_rollout_that_nobody_takes_part_in_is_refused(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench.rollout", flag, "0"])
    with pytest.raises(SystemExit, match="2"):
        rollout.main()
    assert f"expected at least 1 of {flag}, received 0" in capsys.readouterr().err
