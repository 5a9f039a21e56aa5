"""`python -m serving verify` and `sign`: the signatures of versions that are on disk already."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from serving import files
from serving.local.errors import StatusError
from serving.local.lifecycle.model_config import ConfigReader
from serving.local.lifecycle.storage import version_paths, wanted_versions
from serving.rollout.arguments import VERIFY_KEY, add_verify_key, verify_key_of
from serving.rollout.checks.preconditions import require_signed
from serving.rollout.errors import Refused
from serving.rollout.state.deployment import verifier_of
from serving.rollout.state.disk import VersionStore

REFUSED = 1


def verify(arguments: Sequence[str]) -> int:
    """Verifies folders, and the versions that a configuration asks for.

    Returns:
        The exit status: 0 if all match their signatures; 1 at the first that does not.
    """
    options = verify_parser().parse_args(arguments)
    try:
        verifier = verifier_of(verify_key_of(options))
        if verifier is None:
            raise Refused(f"Expected a public key: --verify-key, or the variable {VERIFY_KEY}.")
        folders = [*options.folder, *_configured(options.config, options.models_root)]
        if not folders:
            raise Refused("Expected folders of versions, or --config with a models.config.")
        for folder in folders:
            said = f"{folder}: signed {require_signed(verifier, folder)}"
            sys.stdout.write(files.printable(said) + "\n")
    except (Refused, OSError) as error:
        sys.stderr.write(files.printable(f"{error}\n"))
        return REFUSED
    return 0


def sign(arguments: Sequence[str]) -> int:
    """Signs folders, replacing earlier signatures; returns the exit status, 1 after a failure."""
    parser = argparse.ArgumentParser(
        "python -m serving sign", description="Sign versions that are already on disk."
    )
    parser.add_argument("folder", type=Path, nargs="+", help="folder of a version")
    parser.add_argument("--sign-key", type=Path, required=True, help="private key file, PEM")
    options = parser.parse_args(arguments)
    try:
        for folder in options.folder:
            if not (folder / "saved_model.pb").is_file():
                raise Refused(f"Expected the folder of a SavedModel. Received: {folder}.")
            VersionStore(folder.absolute().parent).sign(folder, options.sign_key)
    except (Refused, OSError) as error:
        sys.stderr.write(files.printable(f"{error}\n"))
        return REFUSED
    return 0


def verify_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line of `verify`."""
    parser = argparse.ArgumentParser(
        "python -m serving verify",
        description="Verify that versions have not changed since the site's key signed them.",
    )
    parser.add_argument("folder", type=Path, nargs="*", help="folder of a version")
    parser.add_argument("--config", type=Path, help="a models.config: all versions that it loads")
    parser.add_argument("--models-root", type=Path, help="replaces /models/ in base paths")
    add_verify_key(parser)
    return parser


def _configured(config: Path | None, models_root: Path | None) -> Iterator[Path]:
    """Yields the folders of all versions that a server would load; each must be there."""
    if config is None:
        return
    try:
        models = ConfigReader(models_root and models_root.absolute()).read(config)
    except StatusError as error:
        raise Refused(error.message) from error
    for model in models.values():
        kind = model.policy.WhichOneof("policy_choice")
        found = version_paths(model.base_path, first=kind == "all")
        if found is None:
            raise Refused(f"The folder of the versions cannot be read: {model.base_path}.")
        named = model.policy.specific.versions if kind == "specific" else ()
        if missing := sorted(set(named) - found.keys()):
            raise Refused(f"{model.base_path} has no version {', '.join(map(str, missing))}.")
        if not found:
            raise Refused(f"{model.base_path} has no version.")
        yield from (found[number] for number in sorted(wanted_versions(model.policy, found)))
