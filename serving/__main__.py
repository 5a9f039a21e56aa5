"""`python -m serving` starts the local model server; `python -m serving rollout` moves versions."""

import sys


def main(arguments: list[str]) -> int:
    """Hands over to one of the two; neither loads what only the other needs."""
    if arguments[:1] == ["rollout"]:
        from serving.rollout.main import main as rollout

        return rollout(arguments[1:])
    from serving.local.main import main as serve

    return serve(arguments)


if __name__ == "__main__":
    if sys.argv[1:2] != ["rollout"]:
        from serving.local import allocator

        allocator.preload()
    sys.exit(main(sys.argv[1:]))
