"""`python -m serving rollout`: the command line."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.client import ServingError
from serving.rollout import moves
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.site import Site
from serving.rollout.steps import Command, run
from serving.traffic import Traffic

_ROLLED_BACK = 3
_USUAL_GOLDEN = Path("serving/config/golden")


def main(arguments: Sequence[str]) -> int:
    """Does what the command line says.

    Returns:
        The exit status: 0 done, 1 refused or failed, 3 `watch` rolled the canary back.
    """
    options = parser().parse_args(arguments)
    try:
        return _do(options, title_of(arguments, options))
    except (Refused, ServingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _do(options: argparse.Namespace, title: str) -> int:
    site = site_of(options)
    try:
        if options.command == "status":
            return _status(site, options)
        if options.command == "watch":
            return _watch(site, options)
        with site.exclusive(title):
            run(command_of(site, title, options), site.history, _say)
        return 0
    finally:
        site.server.close()


def title_of(arguments: Sequence[str], options: argparse.Namespace) -> str:
    """What was typed, without the flags that say where, which stand before the command."""
    return shlex.join(arguments[list(arguments).index(options.command) :])


def site_of(options: argparse.Namespace) -> Site:
    """The site that the flags name; see `Site.at`."""
    return Site.at(
        options.config,
        models_root=options.models_root,
        model=options.model,
        server=options.server,
        golden=_golden(getattr(options, "golden", None)),
    )


def _golden(given: Path | None) -> Path | None:
    """The folder that was named, which must be one, or the usual one where there is one."""
    if given is None:
        return _USUAL_GOLDEN if _USUAL_GOLDEN.is_dir() else None
    if not given.is_dir():
        raise Refused(f"Expected --golden to be a folder of CLASS/NAME.jpg. Received: {given}.")
    return given


def command_of(site: Site, title: str, options: argparse.Namespace) -> Command:
    """The steps of a command that changes something; what it refuses, it refuses here."""
    if options.command == "publish":
        return publish(site, title, options.folder)
    if options.command == "rollback":
        return moves.rollback(site, title)
    if options.command == "retire":
        return moves.retire(site, title, options.version, delete=options.delete)
    limits = moves.Limits(options.max_latency_ratio, options.force)
    if options.command == "promote":
        return moves.promote(site, title, options.version, limits)
    wanted = Traffic(options.version, options.percent, options.shadow)
    return moves.canary(site, title, wanted, limits)


# Figures come by HTTP, whose packages take as long to import as a rollback takes: only these two
# commands load them.


def _status(site: Site, options: argparse.Namespace) -> int:
    from serving.rollout.status import status

    found = status(site, options.webapp, options.seconds)
    _say(json.dumps(found.to_json(), indent=1) if options.json else found.table())
    return 0


def _watch(site: Site, options: argparse.Namespace) -> int:
    from serving.rollout import watch

    guard = watch.Guard(
        options.max_error_rate / 100,
        options.max_latency_ratio,
        options.max_disagreement / 100,
        options.least,
    )
    reason = watch.watch(
        site, options.webapp, guard, _say, every=options.every, seconds=options.seconds
    )
    return 0 if reason is None else _ROLLED_BACK


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """Understands the command line."""
    grpc, web = (os.environ.get(f"US_BILLS_{x}_PORT") for x in ("GRPC", "WEB"))
    parser = argparse.ArgumentParser(
        prog="python -m serving rollout",
        description="Try, promote and take back versions of a model, with no failed request.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--config", type=Path, default=Path("serving/config/models.config"), help="models.config")
    add("--models-root", type=Path, default=Path("models"), help="what /models/ is on this machine")
    add("--model", help="which model of the file, where it has several")
    add("--server", default=f"grpc://127.0.0.1:{grpc or 8500}", help="the model server")
    add("--webapp", default=f"http://127.0.0.1:{web or 5000}", help="the front end; '' for none")
    add(
        "--golden",
        type=Path,
        default=argparse.SUPPRESS,
        help="photos that every version must answer rightly, as CLASS/NAME.jpg "
        f"(default: {_USUAL_GOLDEN}, if there is one)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_commands(commands)
    return parser


def _add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )

    one = command("status", "show versions, labels, traffic and figures")
    one.add_argument("--json", action="store_true", help="for machines")
    one.add_argument("--seconds", type=int, default=300, help="of how long, at most 300")

    one = command("publish", "check a SavedModel and make it the next version on disk")
    one.add_argument("folder", type=Path, help="the SavedModel")

    one = command("canary", "load a version beside stable and give it a share of the clients")
    one.add_argument("version", type=int)
    one.add_argument("--percent", type=_percent, default=10.0, help="share of the clients")
    one.add_argument("--shadow", action="store_true", help="compare answers on copies of requests")
    _add_limits(one)

    one = command("promote", "make a version stable; the one before stays loaded")
    one.add_argument("version", type=int)
    _add_limits(one)

    command("rollback", "end the canary; without one, make the previous version stable again")

    one = command("retire", "unload a version after its last request; its files stay")
    one.add_argument("version", type=int)
    one.add_argument("--delete", action="store_true", help="remove its files too")

    one = command("watch", "roll the canary back by itself when it passes a limit")
    one.add_argument("--every", type=float, default=5.0, help="seconds between looks")
    one.add_argument("--seconds", type=float, default=0.0, help="end after; 0: with the canary")
    one.add_argument("--max-error-rate", type=_percent, default=2.0, help="percent of requests")
    one.add_argument("--max-latency-ratio", type=float, default=2.0, help="p95 over stable's p95")
    one.add_argument("--max-disagreement", type=_percent, default=10.0, help="percent of copies")
    one.add_argument("--least", type=int, default=20, help="requests before anything is judged")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-latency-ratio", type=float, default=2.0, help="median latency over stable's")
    add("--force", action="store_true", help="load it also where memory may not hold it")


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"expected 0 to 100, received {text!r}")
    return value
