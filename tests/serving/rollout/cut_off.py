"""Runs a rollout's command up to a step and dies: `python -m ...cut_off STEPS [FLAGS] COMMAND`."""

import os
import sys
from dataclasses import replace

from serving.rollout.main import command_of, parser, site_of, title_of
from serving.rollout.steps import Step, run


def die() -> str | None:
    os._exit(9)


def main(steps: int, arguments: list[str]) -> None:
    options = parser().parse_args(arguments)
    site, title = site_of(options), title_of(arguments, options)
    with site.exclusive(title):
        command = command_of(site, title, options)
        cut = [*command.steps[:steps], Step("be killed", die)]
        run(replace(command, steps=cut), site.history, print)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
