"""`publish`: a finished SavedModel becomes the next version on disk. Nothing is loaded by that."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.checks.preconditions import Losses, no_worse, signed
from serving.rollout.checks.validation import check_files
from serving.rollout.errors import Refused
from serving.rollout.remote.server import AWAY
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
    """Checks a version, copies it beside the others and gives it the next number.

    Args:
        deployment: where to.
        title: the command, for the history.
        source: the folder of the SavedModel.
        sign_key: signs the copy; without it, the source must be signed where there is a key to
            verify with.
        losses: what it may lose of what stable has; None: what it usually may.

    Raises:
        Refused: there is no SavedModel, it has links in it, or it is worse than stable.
    """
    if not (source / "saved_model.pb").is_file():
        raise Refused(f"Expected the folder of a SavedModel. Received: {source}.")
    require_regular(source)
    no_worse(deployment, source, losses or Losses())
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
    return [Step("signature", lambda: signed(verifier, source))] if verifier else []


def _pin(deployment: Deployment) -> str:
    """Names the versions to load: a policy of all or the latest would load the new one at once."""
    if deployment.config.pinned:
        return "as before"
    layout = deployment.layout()
    try:
        deployment.apply(layout)
    except AWAY:
        return "from its next start"
    return f"versions {', '.join(map(str, sorted(layout.versions)))}"


def _copy(deployment: Deployment, source: Path, digest: str, sign_key: Path | None) -> str:
    present = deployment.store.holding(digest)
    if present is not None:
        return f"the same files are version {present}"
    draft = deployment.store.draft(source, digest)
    if sign_key is None:
        return draft.name
    deployment.store.sign(draft, sign_key)
    return f"{draft.name}, signed"


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
    """A source that is still written to, between the check and the copy, is refused here."""
    copied = digest_of(deployment.store.draft_of(digest))
    if copied != digest or copied not in deployment.checks:
        raise Refused("Its files changed while they were published; call again once they do not.")


def _require_signed(deployment: Deployment, folder: Path) -> None:
    """Also of what was signed here: the site's other key may be another one's."""
    if deployment.verifier is not None:
        signed(deployment.verifier, folder)
