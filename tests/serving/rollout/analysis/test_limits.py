"""Which limits of a canary are tested, and what few and many requests prove."""

import pytest

from serving.rollout.analysis.limits import CanaryLimits, broken, won
from serving.rollout.remote.figures import Snapshot


def counted(
    *, failed: int = 0, of: int = 1000, slow: int = 0, other: int = 0, stable: int = 1000
) -> Snapshot:
    """Counts of canary 2 and stable 1, whose p95 is 100 ms."""
    buckets = {("1", bound): float(stable) for bound in ("0.1", "0.2", "+Inf")}
    buckets |= {("2", "0.1"): of - slow, ("2", "0.2"): of - slow, ("2", "+Inf"): float(of)}
    calls = {("1", "ok"): float(stable), ("2", "ok"): of - failed, ("2", "Unavailable"): failed}
    shadows = {("2", "same"): of - other, ("2", "different"): other}
    return Snapshot(calls, buckets, shadows if other else {})


def test_a_good_canary_wins_once_there_are_requests_enough() -> None:
    assert won(CanaryLimits().claims(counted(), 2, 1))
    few = CanaryLimits().claims(counted(of=50), 2, 1)
    assert not won(few)
    assert broken(few) is None
    assert "about" in str(few[0])


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (counted(failed=60), "failed 60 of 1000"),
        (counted(slow=120), "slower than 200 ms 120 of 1000"),
        (counted(other=80), "answered otherwise 80 of 1000"),
    ],
)
def test_a_canary_that_surely_passes_a_limit_must_go(look: Snapshot, reason: str) -> None:
    lost = broken(CanaryLimits().claims(look, 2, 1))
    assert lost is not None
    assert str(lost).startswith(reason)
    assert str(lost).endswith("(beyond the limit)")


def test_one_failure_in_the_first_requests_proves_nothing() -> None:
    claims = CanaryLimits().claims(counted(failed=1, of=20), 2, 1)
    assert broken(claims) is None
    assert not won(claims)


def test_a_latency_is_not_compared_with_a_stable_that_nobody_asks() -> None:
    claims = CanaryLimits().claims(counted(slow=900, stable=20), 2, 1)
    assert [claim.what for claim in claims] == ["failed"]
    assert not won(claims)
