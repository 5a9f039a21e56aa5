"""The front end: takes a photo of a bill, asks the model server, shows the answer.

Start with `app`, which puts it together, then follow `views.api`: `views` (HTTP), `inference` (the
model's answers), `imaging` (bytes to a tensor), each importing only what stands behind it.
`telemetry` and `runtime` are for operators. Never imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Builds the front end, as `flask --app webapp run` does.

    Args:
        settings: By default those of the environment, see `webapp.settings`.

    Returns:
        The application of `webapp.app.create_app`.

    Raises:
        BadSetting: An environment variable has a value that is none.
    """
    # Here and not above: the processes that decode pictures import this package, and neither need
    # Flask nor should have it in memory.
    from webapp.app import create_app as build
    from webapp.settings import Settings

    return build(settings or Settings.from_env())
