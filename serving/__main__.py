"""`python -m serving`: the local model server, or a command: `rollout`, `verify` or `sign`."""

import signal
import sys

_COMMANDS = ("rollout", "verify", "sign")


def main(arguments: list[str]) -> int:
    """Runs the server or a command; imports only the modules that it needs."""
    if arguments[:1] == ["rollout"]:
        from serving.rollout.cli import main as rollout

        return rollout(arguments[1:])
    if _is_command(arguments):
        from serving.rollout import signatures

        return {"verify": signatures.verify, "sign": signatures.sign}[arguments[0]](arguments[1:])
    from serving.local.main import main as serve

    return serve(arguments)


def _is_command(arguments: list[str]) -> bool:
    return bool(arguments) and arguments[0] in _COMMANDS


if __name__ == "__main__":
    # Process 1 of a container would go on: the system ends it only by a signal that it handles.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if not _is_command(sys.argv[1:]):
        from serving.local.runtime import allocator

        allocator.preload()
    sys.exit(main(sys.argv[1:]))
