"""`publish`: makes a finished SavedModel the next version on disk, without loading it."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.checks.preconditions import Losses, require_no_worse, require_signed
from serving.rollout.checks.validation import check_files
from serving.rollout.errors import Refused
from serving.rollout.remote.server import TRANSIENT_ERRORS
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of, require_regular, require_sign_key
from serving.rollout.steps import Command, Step
from serving.traffic import VERSIONS


def publish(
    deployment: Deployment,
    title: str,
    source: Path,
    sign_key: Path | None = None,
    losses: Losses | None = None,
) -> Command:
    """Copies a version next to the others, checks the copy and gives it the next number.

    Args:
        deployment: the deployment that gets the version.
        title: the command, for the history.
        source: the folder of the SavedModel.
        sign_key: signs the copy; without it, the source must be signed if the deployment has a key
            to verify with.
        losses: how far the version may be behind stable; None for the defaults.

    Raises:
        Refused: the source is no SavedModel or the copy of a publication that was cut off, has
            links in it, or is worse than stable or unsigned; or the key cannot be used.
    """
    if not (source / "saved_model.pb").is_file():
        raise Refused(f"Expected the folder of a SavedModel. Received: {source}.")
    require_regular(source)
    require_no_worse(deployment, source, losses or Losses())
    if deployment.verifier is not None and sign_key is None:
        require_signed(deployment.verifier, source)
    if sign_key is not None:
        require_sign_key(sign_key)
    digest = digest_of(source)
    if source.resolve() == deployment.store.draft_of(digest).resolve():
        raise Refused(
            f"Expected the folder of a SavedModel. Received the unfinished copy of one: {source}. "
            "Publish the original again, or move the copy elsewhere first."
        )
    return Command(
        title,
        [
            # First, so that what is checked and signed is what is published, whoever may write to
            # the source.
            Step("copy", lambda: _copy(deployment, source, digest)),
            *([] if sign_key else _signature_step(deployment, digest)),
            Step("check its files", lambda: _check(deployment, digest, title)),
            *([Step("sign", lambda: _sign(deployment, digest, sign_key))] if sign_key else []),
            Step("servers load what they are told to", lambda: _pin(deployment)),
            Step("next version", lambda: _adopt(deployment, digest, title)),
        ],
        lambda: deployment.store.discard(digest),
    )


def _copy(deployment: Deployment, source: Path, digest: str) -> str:
    present = deployment.store.holding(digest)
    if present is not None:
        deployment.store.discard(digest)
        return f"the same files are version {present}"
    draft = deployment.store.draft(source, digest)
    if digest_of(draft) != digest:
        raise Refused("Its files changed while they were copied; call again once they do not.")
    return draft.name


def _copied(deployment: Deployment, digest: str) -> Path:
    """Returns the folder of the copy, or of the version that has the same files.

    Looks for the copy first, since a search among the versions reads all of their files.
    """
    draft = deployment.store.draft_of(digest)
    present = None if draft.is_dir() else deployment.store.holding(digest)
    return draft if present is None else deployment.store.path(present)


def _signature_step(deployment: Deployment, digest: str) -> list[Step]:
    verifier = deployment.verifier
    if verifier is None:
        return []
    return [Step("signature", lambda: require_signed(verifier, _copied(deployment, digest)))]


def _check(deployment: Deployment, digest: str, title: str) -> str:
    return str(check_files(deployment, _copied(deployment, digest), title))


def _sign(deployment: Deployment, digest: str, sign_key: Path) -> None:
    folder = _copied(deployment, digest)
    deployment.store.sign(folder, sign_key)
    _require_signed_copy(deployment, folder)


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


def _adopt(deployment: Deployment, digest: str, title: str) -> str:
    present = deployment.store.holding(digest)
    if present is None:
        _require_checked(deployment, digest)
        _require_signed_copy(deployment, deployment.store.draft_of(digest))
        present = _next_number(deployment)
        deployment.store.adopt(deployment.store.draft_of(digest), present)
    else:
        _require_signed_copy(deployment, deployment.store.path(present))
    deployment.history.note(title, "published", published=present, digest=digest)
    return f"{present}, in {deployment.store.path(present)}"


def _next_number(deployment: Deployment) -> int:
    highest = max([0, *deployment.store.versions(), *deployment.history.versions()])
    if highest + 1 not in VERSIONS:
        raise Refused(f"No number is left above {highest}, which a folder or the history has.")
    return highest + 1


def _require_checked(deployment: Deployment, digest: str) -> None:
    """Refuses a copy that is not what was checked."""
    copied = digest_of(deployment.store.draft_of(digest))
    if copied != digest or copied not in deployment.checks:
        raise Refused("The copy changed after it was checked; call again.")


def _require_signed_copy(deployment: Deployment, folder: Path) -> None:
    """Verifies the signature, also one made here: the sign key may not match the site's key."""
    if deployment.verifier is not None:
        require_signed(deployment.verifier, folder)
