"""`python -m serving rollout`: runs the command that the command line names."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from serving import files
from serving.client import ServingError, Tls
from serving.rollout import commands
from serving.rollout.arguments import GOLDEN, joined, parser, verify_key_of
from serving.rollout.checks.preconditions import Losses
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.reconcile import reconcile
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Command, run
from serving.traffic import Traffic

if TYPE_CHECKING:
    from serving.rollout.remote.source import Source

_ROLLED_BACK = 3


def main(arguments: Sequence[str]) -> int:
    """Runs the command that the command line names.

    Returns:
        The exit status: 0 done, 1 refused or failed, 3 `watch` rolled the canary back.
    """
    options = parser().parse_args(arguments)
    try:
        return _do(options, title_of(arguments, options))
    except (Refused, ServingError, OSError) as error:
        sys.stderr.write(files.printable(f"{error}{_advice(error)}\n"))
        return 1
    except KeyboardInterrupt:
        return 130


def _do(options: argparse.Namespace, title: str) -> int:
    deployment = deployment_of(options)
    try:
        if options.command == "status":
            return _status(deployment, options)
        if options.command == "watch":
            return _watch(deployment, options)
        if options.command == "reconcile":
            every, seconds = options.every, options.seconds
            reconcile(deployment, title, _say, every=every, seconds=seconds)
            return 0
        with deployment.exclusive(title):
            run(command_of(deployment, title, options), deployment.history, _say)
        return 0
    finally:
        deployment.server.close()


def _advice(error: BaseException) -> str:
    """Returns advice about a file that belongs to another user; empty for other errors."""
    denied = error if isinstance(error, PermissionError) else error.__cause__
    if not isinstance(denied, PermissionError) or not isinstance(denied.filename, str):
        return ""
    owner = files.owner_of(Path(denied.filename))
    return (
        f"\nThis process runs as {os.geteuid()}:{os.getegid()}, the file or its folder belongs to "
        f"{owner}: run the command as that user. In Compose, US_BILLS_OWNER={owner} does so."
    )


def title_of(arguments: Sequence[str], options: argparse.Namespace) -> str:
    """Returns the command as it was typed, without the general flags in front of it."""
    return shlex.join(arguments[list(arguments).index(options.command) :])


def deployment_of(options: argparse.Namespace) -> Deployment:
    """The deployment that the flags name; see `Deployment.at`."""
    return Deployment.at(
        options.config,
        models_root=options.models_root,
        model=getattr(options, "model", None),
        server=joined(options, "server"),
        patience=options.patience,
        say=_say,
        golden=_golden(getattr(options, "golden", None), options.config),
        allowed_operations=getattr(options, "allow_op", ()),
        verify_key=verify_key_of(options),
        tls=_tls(options),
    )


def _tls(options: argparse.Namespace) -> Tls:
    try:
        return Tls.of(options.server_ca, options.client_cert, options.client_key)
    except ValueError as error:
        raise Refused(str(error)) from error


def _golden(given: Path | None, config: Path) -> Path | None:
    """Returns the given folder, which must exist, else the usual one next to `config`, or None."""
    if given is None:
        usual = config.with_name(GOLDEN)
        return usual if usual.is_dir() else None
    if not given.is_dir():
        raise Refused(f"Expected --golden to be a folder of CLASS/NAME.jpg. Received: {given}.")
    return given


def command_of(deployment: Deployment, title: str, options: argparse.Namespace) -> Command:
    """Builds the steps of a changing command; raises `Refused` if its conditions do not hold."""
    if options.command == "publish":
        return publish(deployment, title, options.folder, options.sign_key, _losses(options))
    if options.command == "rollback":
        return commands.rollback(deployment, title)
    if options.command == "retire":
        return commands.retire(deployment, title, options.version, delete=options.delete)
    limits = commands.Limits(options.max_latency_ratio, options.force, _losses(options))
    if options.command == "promote":
        return commands.promote(deployment, title, options.version, limits)
    wanted = Traffic(options.version, options.percent, options.shadow, options.by)
    return commands.canary(deployment, title, wanted, limits)


def _losses(options: argparse.Namespace) -> Losses:
    return Losses(options.classes_changed, options.max_accuracy_loss / 100)


# Figures are read over HTTP. Importing the HTTP packages takes as long as a whole rollback, so only
# these two commands import them.


def _status(deployment: Deployment, options: argparse.Namespace) -> int:
    from serving.rollout.report.status import status
    from serving.rollout.report.table import table

    found = status(deployment, _figures(deployment, options), options.seconds)
    _print(json.dumps(found.to_json(), indent=1) if options.json else table(found))
    return 0


def _watch(deployment: Deployment, options: argparse.Namespace) -> int:
    from serving.rollout import watch
    from serving.rollout.analysis.limits import CanaryLimits

    source = _figures(deployment, options)
    if source is None:
        raise Refused("Expected --webapp or --prometheus, whose figures are watched.")
    limits = CanaryLimits(
        options.max_error_rate / 100,
        options.max_latency_ratio,
        options.max_disagreement / 100,
        options.error / 100,
    )
    outcome = watch.watch(
        deployment,
        source,
        limits,
        _say,
        every=options.every,
        seconds=options.seconds,
        promote=options.auto_promote,
    )
    return _ROLLED_BACK if outcome is watch.Outcome.ROLLED_BACK else 0


def _figures(deployment: Deployment, options: argparse.Namespace) -> Source | None:
    from serving.rollout.remote.front_ends import FrontEnds
    from serving.rollout.remote.prometheus import Prometheus

    counted_as = deployment.config.counted_as
    if options.prometheus:
        return Prometheus(options.prometheus, counted_as)
    webapp = joined(options, "webapp")
    return FrontEnds(webapp, counted_as) if webapp else None


def _print(text: str) -> None:
    sys.stdout.write(files.printable(text) + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    # A reader that is gone, or a full disk, must not stop a command halfway.
    with suppress(OSError):
        _print(line)
