"""The front end: takes a photo of a bill, asks the model server, shows the answer.

Start with `app`, which assembles the application, then follow `views.api`. `views` (HTTP) reads the
photos with `uploads` and asks `inference`, which decodes them with `decoding`, in whose processes
`imaging` runs. `feedback` stores photos that people send back; `telemetry` and `runtime` are for
operators. An inner package never imports an outer one, and none imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from webapp.settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Build the front end; `flask --app webapp run` calls this function.

    Args:
        settings: Defaults to the settings of the environment, see `webapp.settings`.

    Returns:
        The application that `webapp.app.create_app` builds.

    Raises:
        BadSetting: An environment variable has an invalid value.
    """
    # Imported here, not above: the decoding processes import this package, and neither need Flask
    # nor should have it in memory.
    from webapp.app import create_app as build
    from webapp.settings import Settings

    return build(settings or Settings.from_env())
