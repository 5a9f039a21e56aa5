"""The page about rollouts describes every command, and its transcript consists of real commands."""

from __future__ import annotations

import argparse
import re
import shlex

from serving.rollout.arguments import parser
from tests.support.servers import ROOT

PAGE = (ROOT / "docs" / "rollouts.md").read_text(encoding="utf-8")
TRANSCRIPTS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> set[str]:
    (found,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return set(found.choices)


def test_every_command_is_in_the_table() -> None:
    assert (
        set(re.findall(r"^\| `(\w+)[^|]*` \|", PAGE.split("\n## ")[0], re.MULTILINE)) == commands()
    )


def test_the_transcript_is_made_of_commands_that_exist() -> None:
    command = r"^\$ python -m serving rollout (.*)$"
    typed = [line for one in TRANSCRIPTS for line in re.findall(command, one, re.MULTILINE)]
    assert len(typed) > 8
    for line in typed:
        parser().parse_args(shlex.split(line))


def test_every_flag_that_the_page_names_exists() -> None:
    known = set(re.findall(r"--[a-z-]+", _all_help()))
    of_the_server = {"--model", "--allow"}
    assert set(re.findall(r"`(--[a-z]+(?:-[a-z]+)*)[` ]", PAGE)) - of_the_server <= known


def _all_help() -> str:
    (found,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return "".join([parser().format_help(), *(p.format_help() for p in found.choices.values())])
