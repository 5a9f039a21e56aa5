"""`publish`: a finished SavedModel becomes the next version on disk. Nothing is loaded by that."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.disk import digest_of
from serving.rollout.errors import Refused
from serving.rollout.server import AWAY
from serving.rollout.site import Site
from serving.rollout.steps import Command, Step
from serving.rollout.trial import check_files


def publish(site: Site, title: str, source: Path) -> Command:
    """Checks a version, copies it beside the others and gives it the next number.

    Raises:
        Refused: there is no SavedModel.
    """
    if not (source / "saved_model.pb").is_file():
        raise Refused(f"Expected the folder of a SavedModel. Received: {source}.")
    digest = digest_of(source)
    return Command(
        title,
        [
            Step("check its files", lambda: str(check_files(site, source, title))),
            Step("servers load what they are told to", lambda: _pin(site)),
            Step("copy", lambda: _copy(site, source, digest)),
            Step("next version", lambda: _adopt(site, digest, title)),
        ],
        lambda: site.store.discard(digest),
    )


def _pin(site: Site) -> str:
    """Names the versions to load: a policy of all or the latest would load the new one at once."""
    if site.config.pinned:
        return "as before"
    layout = site.layout()
    try:
        site.apply(layout)
    except AWAY:
        return "from its next start"
    return f"versions {', '.join(map(str, sorted(layout.versions)))}"


def _copy(site: Site, source: Path, digest: str) -> str:
    present = site.store.holding(digest)
    if present is not None:
        return f"the same files are version {present}"
    return site.store.draft(source, digest).name


def _adopt(site: Site, digest: str, title: str) -> str:
    present = site.store.holding(digest)
    if present is None:
        _require_checked(site, digest)
        present = max([0, *site.store.versions(), site.history.highest_version()]) + 1
        site.store.adopt(site.store.draft_of(digest), present)
    site.history.note(title, "published", published=present, digest=digest)
    return f"{present}, in {site.store.path(present)}"


def _require_checked(site: Site, digest: str) -> None:
    """Whoever still writes to the source, between the check and the copy, is found out here."""
    copied = digest_of(site.store.draft_of(digest))
    if copied != digest or site.history.check_of(copied) is None:
        raise Refused("Its files changed while they were published; call again once they do not.")
