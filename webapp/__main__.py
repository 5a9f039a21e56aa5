"""`python -m webapp` serves the front end; `python -m webapp classify photo.jpg` reads a photo."""

import argparse
import os
import socket
import sys
import warnings

from webapp import classify
from webapp.runtime.server import Server, join
from webapp.settings import BadSetting, Settings, describe, variable
from webapp.telemetry import logs


def main(arguments: list[str] | None = None) -> None:
    """Read the settings, then serve until stopped, or classify the named photos."""
    options = _parser().parse_args(arguments)
    # Pillow logs long warnings about unusual photos; the reply reports any error to the client.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        settings = Settings.from_env()
        if options.command == "classify":
            sys.exit(classify.run(options, settings))
        _check_address(settings)
    except BadSetting as error:
        sys.exit(str(error))
    logs.start()
    Server(settings).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m webapp",
        description="Serve the front end with gunicorn. Stop it with Ctrl-C.",
        epilog="environment variables, their defaults and meaning:\n" + describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", title="instead of serving")
    classify.add_arguments(commands.add_parser("classify", help="read the bills on photos"))
    return parser


def _check_address(settings: Settings) -> None:
    # Gunicorn would retry five times, a second apart, and its error would name no variable.
    host, port = settings.host, settings.web_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return
    except (OSError, TypeError) as error:
        raise BadSetting(
            f"Cannot listen on {join(host, port)} ({_reason(error)}). "
            f"Set {variable('web_port')} to a free port, or {variable('host')} to another address."
        ) from error


def _reason(error: OSError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    # A failed name lookup has a negative errno, and its message ends with the address.
    number = error.errno or 0
    return os.strerror(number) if number >= 0 else str(error.strerror).partition(" (while")[0]


if __name__ == "__main__":
    main()
