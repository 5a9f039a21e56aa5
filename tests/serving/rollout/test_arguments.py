"""The command line takes version numbers as the traffic file and the protocol do."""

from __future__ import annotations

import pytest

from serving.rollout.arguments import parser
from serving.traffic import VERSIONS


@pytest.mark.parametrize("command", ["canary", "promote", "retire"])
def test_a_number_that_no_version_has_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("-3", str(VERSIONS[-1] + 1), "1.0", "1_0", "\u0662", ""):
        with pytest.raises(SystemExit):
            parser().parse_args([command, text])
        assert "expected a version number from 0 to" in capsys.readouterr().err
    for number in (0, 7, VERSIONS[-1]):
        assert parser().parse_args([command, str(number)]).version == number
