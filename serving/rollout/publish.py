"""`publish`: makes a finished SavedModel the next version on disk, without loading it."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.checks.preconditions import Losses, require_no_worse, require_signed
from serving.rollout.checks.validation import check_files
from serving.rollout.errors import Refused
from serving.rollout.remote.server import TRANSIENT_ERRORS
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of, require_regular
from serving.rollout.steps import Command, Step
from serving.traffic import VERSIONS


def publish(
    deployment: Deployment,
    title: str,
    source: Path,
    sign_key: Path | None = None,
    losses: Losses | None = None,
) -> Command:
    """Checks a version, copies it next to the others and gives it the next number.

    Args:
        deployment: the deployment that gets the version.
        title: the command, for the history.
        source: the folder of the SavedModel.
        sign_key: signs the copy; without it, the source must be signed if the deployment has a key
            to verify with.
        losses: how far the version may be behind stable; None for the defaults.

    Raises:
        Refused: the source is no SavedModel, has links in it, or is worse than stable.
    """
    if not (source / "saved_model.pb").is_file():
        raise Refused(f"Expected the folder of a SavedModel. Received: {source}.")
    require_regular(source)
    require_no_worse(deployment, source, losses or Losses())
    digest = digest_of(source)
    return Command(
        title,
        [
            *([] if sign_key else _signature(deployment, source)),
            Step("check its files", lambda: str(check_files(deployment, source, title))),
            Step("servers load what they are told to", lambda: _pin(deployment)),
            Step("copy", lambda: _copy(deployment, source, digest, sign_key)),
            Step("next version", lambda: _adopt(deployment, digest, title)),
        ],
        lambda: deployment.store.discard(digest),
    )


def _signature(deployment: Deployment, source: Path) -> list[Step]:
    verifier = deployment.verifier
    return [Step("signature", lambda: require_signed(verifier, source))] if verifier else []


def _pin(deployment: Deployment) -> str:
    """Pins the versions to load, since a policy of all or the latest would load the new one."""
    if deployment.config.pinned:
        return "as before"
    layout = deployment.layout()
    try:
        deployment.apply(layout)
    except TRANSIENT_ERRORS:
        return "from its next start"
    return f"versions {', '.join(map(str, sorted(layout.versions)))}"


def _copy(deployment: Deployment, source: Path, digest: str, sign_key: Path | None) -> str:
    present = deployment.store.holding(digest)
    if present is None:
        folder = deployment.store.draft(source, digest)
        copied = folder.name
    else:
        folder = deployment.store.path(present)
        copied = f"the same files are version {present}"
    if sign_key is None:
        return copied
    deployment.store.sign(folder, sign_key)
    return f"{copied}, signed"


def _adopt(deployment: Deployment, digest: str, title: str) -> str:
    present = deployment.store.holding(digest)
    if present is None:
        _require_checked(deployment, digest)
        _require_signed(deployment, deployment.store.draft_of(digest))
        present = _next_number(deployment)
        deployment.store.adopt(deployment.store.draft_of(digest), present)
    else:
        _require_signed(deployment, deployment.store.path(present))
    deployment.history.note(title, "published", published=present, digest=digest)
    return f"{present}, in {deployment.store.path(present)}"


def _next_number(deployment: Deployment) -> int:
    highest = max([0, *deployment.store.versions(), deployment.history.highest_version()])
    if highest + 1 not in VERSIONS:
        raise Refused(f"No number is left above {highest}, which a folder or the history has.")
    return highest + 1


def _require_checked(deployment: Deployment, digest: str) -> None:
    """Refuses a source that was changed between the check and the copy."""
    copied = digest_of(deployment.store.draft_of(digest))
    if copied != digest or copied not in deployment.checks:
        raise Refused("Its files changed while they were published; call again once they do not.")


def _require_signed(deployment: Deployment, folder: Path) -> None:
    """Verifies the signature, also one made here: the sign key may not match the site's key."""
    if deployment.verifier is not None:
        require_signed(deployment.verifier, folder)
