"""The command line of `python -m serving rollout`: flags, commands and their help."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from serving.rollout.remote.fleet import PATIENCE_SECONDS
from serving.traffic import BY_CLIENT, BY_REQUEST, VERSIONS, version_number

GOLDEN = "golden"
VERIFY_KEY = "US_BILLS_VERIFY_KEY"


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m serving rollout",
        description="Try, promote and roll back versions of a model without a failed request.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--config", type=Path, default=Path("serving/config/models.config"), help="models.config")
    add("--models-root", type=Path, default=Path("models"), help="replaces /models/ in base paths")
    add(
        "--model",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="model of --config to roll out (default: the first)",
    )
    many = "several: separate by commas or repeat the flag; dns:///name:port: all IP addresses"
    for flag, text in (
        ("server", "the model server, grpcs:// for TLS"),
        ("webapp", "the front end, '' for none"),
    ):
        add(
            f"--{flag}",
            action="append",
            default=argparse.SUPPRESS,
            metavar="URL",
            help=f"{text}; {many} (default: {usual(flag)})",
        )
    add("--prometheus", metavar="URL", help="Prometheus to read figures from, instead of --webapp")
    add(
        "--patience",
        type=float,
        default=PATIENCE_SECONDS,
        help="seconds to wait for a server that does not listen while others do",
    )
    add(
        "--golden",
        type=Path,
        default=argparse.SUPPRESS,
        help="folder of photos CLASS/NAME.jpg that every version must answer correctly "
        f"(default: the folder {GOLDEN} next to --config, if it exists)",
    )
    _add_tls(parser)
    add_verify_key(parser)
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
    one.add_argument("--json", action="store_true", help="print JSON instead of a table")
    one.add_argument(
        "--seconds", type=int, default=300, help="seconds that the figures cover, at most 300"
    )

    one = command("publish", "check a SavedModel and make it the next version on disk")
    one.add_argument("folder", type=Path, help="folder of the SavedModel")
    one.add_argument("--sign-key", type=Path, help="private key to sign the new version with")
    _add_losses(one)
    _add_allowed(one)

    one = command("canary", "load a version next to stable and give it a share of the clients")
    one.add_argument("version", type=_version)
    one.add_argument("--percent", type=_percent, default=10.0, help="its share, 0 to 100")
    one.add_argument("--shadow", action="store_true", help="compare answers to copies of requests")
    one.add_argument(
        "--by",
        choices=(BY_CLIENT, BY_REQUEST),
        default=BY_CLIENT,
        help="split by client, or by single request",
    )
    _add_limits(one)

    one = command("promote", "make a version stable; the previous version stays loaded")
    one.add_argument("version", type=_version)
    _add_limits(one)

    command("rollback", "end the canary; without one, make the previous version stable again")

    one = command("retire", "unload a version after its last request; its files stay")
    one.add_argument("version", type=_version)
    one.add_argument("--delete", action="store_true", help="delete its files too")

    one = command(
        "reconcile", "send the configuration to servers that started late, with older files"
    )
    one.add_argument("--every", type=float, default=5.0, help="seconds between checks")
    one.add_argument(
        "--seconds", type=float, default=180.0, help="timeout in seconds; 0: run for ever"
    )

    one = command("watch", "roll the canary back once a test proves that it exceeds a limit")
    one.add_argument("--every", type=float, default=5.0, help="seconds between checks")
    one.add_argument("--seconds", type=float, default=0.0, help="seconds to watch; 0: no limit")
    one.add_argument(
        "--max-error-rate", type=_percent, default=2.0, help="failed requests, in percent"
    )
    one.add_argument(
        "--max-latency-ratio",
        type=float,
        default=2.0,
        help="largest p95 latency relative to stable's, of real requests",
    )
    one.add_argument(
        "--max-disagreement",
        type=_percent,
        default=3.0,
        help="answers that differ from stable's, in percent",
    )
    one.add_argument(
        "--error", type=_error, default=1.0, help="probability of a wrong decision, in percent"
    )
    one.add_argument(
        "--auto-promote", action="store_true", help="promote it once it provably keeps all limits"
    )
    _add_allowed(one)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-latency-ratio", type=float, default=2.0, help="median latency relative to stable's")
    add("--force", action="store_true", help="load it even if it may not fit in memory")
    _add_losses(parser)
    _add_allowed(parser)


def _add_losses(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--classes-changed", action="store_true", help="accept it without some of stable's classes")
    add(
        "--max-accuracy-loss",
        type=_percent,
        default=20.0,
        help="percentage points by which its model card's accuracy may be below stable's",
    )


def _add_allowed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-op",
        action="append",
        default=[],
        metavar="NAME",
        help="trust a graph operation that is not on the list of harmless ones; may be repeated",
    )


def _add_tls(parser: argparse.ArgumentParser) -> None:
    """Adds the TLS flags; the front end asks the same server, so its variables are the defaults."""
    for flag, variable, text in (
        ("--server-ca", "US_BILLS_MODEL_SERVER_CA", "PEM file: trusted authorities for grpcs://"),
        ("--client-cert", "US_BILLS_CLIENT_CERT", "PEM file: certificate to show to the server"),
        ("--client-key", "US_BILLS_CLIENT_KEY", "PEM file: private key of that certificate"),
    ):
        parser.add_argument(flag, default=os.environ.get(variable, ""), help=text)


def add_verify_key(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that `verify_key_of` reads."""
    parser.add_argument(
        "--verify-key",
        type=Path,
        default=argparse.SUPPRESS,
        help="file with a public key; every version must be signed with its private key "
        f"(default: the variable {VERIFY_KEY}; without a key, no signature is needed)",
    )


def _version(text: str) -> int:
    number = version_number(text)
    if number is None:
        expected = f"a version number from 0 to {VERSIONS[-1]}"
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text!r}")
    return number


def _error(text: str) -> float:
    value = _percent(text)
    if not 0 < value < 50:
        raise argparse.ArgumentTypeError(
            f"expected more than 0 and less than 50, received {text!r}"
        )
    return value


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"expected 0 to 100, received {text!r}")
    return value


def joined(options: argparse.Namespace, flag: str) -> str:
    """Joins the values of a repeatable flag with commas; defaults to the usual address."""
    return ",".join(getattr(options, flag, [usual(flag)]))


def verify_key_of(options: argparse.Namespace) -> Path | None:
    """Returns the file of the site's public key from the flag, else from the variable, or None."""
    given = getattr(options, "verify_key", None) or os.environ.get(VERIFY_KEY)
    return Path(given) if given else None


def usual(flag: str) -> str:
    """Returns the address at which `make run` starts a tier on this machine."""
    scheme, variable, port = {
        "server": ("grpc", "US_BILLS_GRPC_PORT", 8500),
        "webapp": ("http", "US_BILLS_WEB_PORT", 5000),
    }[flag]
    return f"{scheme}://127.0.0.1:{os.environ.get(variable) or port}"
