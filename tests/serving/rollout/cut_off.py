"""Runs a rollout's command up to a step and dies: `python -m ...cut_off STEPS [FLAGS] COMMAND`.

Every version counts as checked, because a real check would take seconds at each call.
"""

import os
import sys
from dataclasses import replace

from serving.rollout.arguments import parser
from serving.rollout.cli import command_of, deployment_of, title_of
from serving.rollout.steps import Step, run
from tests.serving.rollout.checked import believe


def die() -> str | None:
    os._exit(9)


def main(steps: int, arguments: list[str]) -> None:
    options = parser().parse_args(arguments)
    deployment, title = deployment_of(options), title_of(arguments, options)
    for version in [*deployment.store.versions().values(), getattr(options, "folder", None)]:
        if version is not None:
            believe(deployment, version)
    with deployment.exclusive(title):
        command = command_of(deployment, title, options)
        cut = [*command.steps[:steps], Step("be killed", die)]
        run(replace(command, steps=cut), deployment.history, print)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
