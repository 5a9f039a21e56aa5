"""The limits that a canary must keep, and what happens to a canary that exceeds one."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from serving.rollout import commands
from serving.rollout.analysis.limits import CanaryLimits
from serving.rollout.errors import Refused
from serving.rollout.remote.figures import Snapshot
from serving.rollout.remote.front_ends import FrontEnds
from serving.rollout.state import deployment as deployment_module
from serving.rollout.state.deployment import Deployment
from serving.rollout.watch import Outcome, watch
from serving.traffic import NO_CANARY, Traffic
from tests.serving.rollout.conftest import do

LIMITS = CanaryLimits(error_rate=0.02, latency_ratio=2.0, disagreement=0.03)


@pytest.fixture
def failing() -> Iterator[FrontEnds]:
    """A front end's page of counts, on which the canary fails more at each look."""
    looks = 0

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal looks
            looks += 1
            labels = 'version="2",sent_as="canary",result="Unavailable"'
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"us_bills_model_calls_total{{{labels}}} {30 * looks}\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield FrontEnds(f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


class Counted:
    """Figures of a canary and a stable version that answer quickly, 200 more at each look."""

    silent: tuple[str, ...] = ()

    def __init__(self, fail_after: int = 10**9) -> None:
        self._looks, self._fail_after = 0, fail_after

    def look(self) -> Snapshot:
        """This moment."""
        self._looks += 1
        count = 200.0 * self._looks
        failed = 200.0 * max(0, self._looks - self._fail_after)
        buckets = {("1", "0.1"): count, ("1", "0.2"): count, ("1", "+Inf"): count}
        buckets |= {("2", bound): n for (_, bound), n in buckets.items()}
        calls = {("1", "ok"): count, ("2", "ok"): count - failed, ("2", "Unavailable"): failed}
        return Snapshot(calls, buckets, {})

    def canary_percents(self) -> dict[str, float]:
        """Of no front end."""
        return {}

    def look_back(self, seconds: int) -> tuple[Snapshot, float]:
        """All of it."""
        return self.look(), seconds


def test_a_canary_that_keeps_all_limits_is_promoted_where_that_is_wished(
    checked: Deployment,
) -> None:
    do(checked, commands.canary(checked, "canary 2", Traffic(2, 10.0), commands.Limits()))
    said: list[str] = []
    outcome = watch(checked, Counted(), LIMITS, said.append, every=0.01, seconds=20, promote=True)
    assert outcome is Outcome.PROMOTED
    assert checked.layout().stable == 2
    assert "version 2 keeps all limits, with 99% confidence" in said


def test_a_promotion_that_fails_is_told_in_the_end(checked: Deployment) -> None:
    do(checked, commands.canary(checked, "canary 2", Traffic(2, 10.0), commands.Limits()))
    folder = checked.store.path(2)
    away = folder.rename(folder.with_name(".away"))
    try:
        with pytest.raises(Refused, match=r"the promotion did not succeed: .*No version 2"):
            watch(checked, Counted(), LIMITS, print, every=0.01, seconds=1, promote=True)
    finally:
        away.rename(folder)


def test_a_canary_that_fails_after_the_test_was_won_goes_as_soon_as_one_that_fails_at_once(
    checked: Deployment,
) -> None:
    do(checked, commands.canary(checked, "canary 2", Traffic(2, 10.0), commands.Limits()))
    said: list[str] = []
    source = Counted(fail_after=9)
    outcome = watch(checked, source, LIMITS, said.append, every=0.01, seconds=20)
    assert outcome is Outcome.ROLLED_BACK
    assert sum("keeps all limits" in line for line in said) >= 2
    assert checked.layout().stable == 1


def test_a_canary_that_fails_is_rolled_back_and_the_reason_is_kept(
    checked: Deployment, failing: FrontEnds
) -> None:
    do(checked, commands.canary(checked, "canary 2", Traffic(2, 10.0), commands.Limits()))
    outcome = watch(checked, failing, LIMITS, print, every=0.05, seconds=20)
    assert outcome is Outcome.ROLLED_BACK
    assert checked.traffic() == NO_CANARY
    assert checked.layout().labels == {"stable": 1}
    command = checked.history.lines()[-1]["command"]
    assert "rollback of 2, failed 30 of 30" in command
    assert "beyond the limit" in command


def test_a_watch_that_meets_another_command_tries_again(
    checked: Deployment, failing: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_module, "LOCK_SECONDS", 0.1)
    checked.write_split(Traffic(2, 10.0))
    said: list[str] = []
    other = checked.exclusive("promote 2")
    other.__enter__()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("Another rollout is under way"):
            other.__exit__(None, None, None)

    assert watch(checked, failing, LIMITS, say, every=0.05, seconds=20) is Outcome.ROLLED_BACK
    assert any("`promote 2` by" in line for line in said)
    assert checked.traffic() == NO_CANARY


def test_a_canary_stays_under_guard_when_the_traffic_file_is_damaged(
    checked: Deployment, failing: FrontEnds
) -> None:
    checked.write_split(Traffic(2, 10.0))
    patient = CanaryLimits(error_rate=0.9)

    def say(line: str) -> None:
        if line.startswith("version 2: failed 30 of 30"):
            checked.traffic_file.write_text("{")

    assert watch(checked, failing, patient, say, every=0.05, seconds=20) is Outcome.ROLLED_BACK
    assert checked.traffic() == NO_CANARY


def test_a_canary_stays_under_guard_when_the_configuration_is_damaged_for_a_while(
    checked: Deployment, failing: FrontEnds
) -> None:
    checked.write_split(Traffic(2, 10.0))
    patient, whole = CanaryLimits(error_rate=0.9), checked.config.file.read_text()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("version 2: failed 30 of 30"):
            checked.config.file.write_text("model_config_list {")
        elif line.startswith("The configuration cannot be read"):
            checked.config.file.write_text(whole)

    assert watch(checked, failing, patient, say, every=0.05, seconds=20) is Outcome.ROLLED_BACK
    assert any(line.startswith("The configuration cannot be read") for line in said)


def test_a_canary_that_somebody_rolled_back_meanwhile_is_not_promoted(checked: Deployment) -> None:
    do(checked, commands.canary(checked, "canary 2", Traffic(2, 10.0), commands.Limits()))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "keeps all limits" in line:
            do(checked, commands.rollback(checked, "rollback"))

    outcome = watch(checked, Counted(), LIMITS, say, every=0.01, seconds=20, promote=True)
    assert outcome is Outcome.ENDED
    assert said[-1] == "version 2 is no canary any more"
    assert checked.layout().stable == 1


def test_the_watch_ends_with_the_trial(checked: Deployment, failing: FrontEnds) -> None:
    checked.write_split(Traffic(2, 10.0))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        checked.write_split(NO_CANARY)

    anything_goes = CanaryLimits(error_rate=1.0)
    assert watch(checked, failing, anything_goes, say, every=0.05, seconds=20) is Outcome.ENDED
    assert said[-1] == "version 2 is no canary any more"


def test_without_a_canary_there_is_nothing_to_watch(
    deployment: Deployment, failing: FrontEnds
) -> None:
    with pytest.raises(Refused, match="There is no canary to watch"):
        watch(deployment, failing, LIMITS, print, every=0.05, seconds=1)


def test_a_broken_limit_whose_rollback_another_command_holds_up_is_no_success(
    checked: Deployment, failing: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_module, "LOCK_SECONDS", 0.1)
    checked.write_split(Traffic(2, 10.0))
    with (
        checked.exclusive("publish"),
        pytest.raises(Refused, match="still on trial: a limit was broken, and the rollback did no"),
    ):
        watch(checked, failing, LIMITS, print, every=0.05, seconds=0.5)


def test_a_front_end_that_went_away_is_not_told_as_a_kept_limit(checked: Deployment) -> None:
    class Gone(Counted):
        def look(self) -> Snapshot:
            if self._looks:
                raise Refused("The front end does not tell its figures.")
            return super().look()

    checked.write_split(Traffic(2, 10.0))
    with pytest.raises(Refused, match=r"still on trial: .* could not be read: The front end does"):
        watch(checked, Gone(), LIMITS, print, every=0.05, seconds=0.5)
