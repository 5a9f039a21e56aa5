"""Serves the review page to this machine only, until Ctrl-C."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from werkzeug.serving import make_server

from training.review.page import create_app
from webapp.feedback.store import ACCEPTED, UNCHECKED, FeedbackStore

HOST = "127.0.0.1"


def serve(folder: Path, port: int, opened: Callable[[str], object]) -> list[Path]:
    """Serves the page of a folder of feedback until Ctrl-C.

    Args:
        folder: The folder that `US_BILLS_FEEDBACK` names.
        port: The port on 127.0.0.1; 0 for any free port.
        opened: Called with the page's URL, which contains a token, once the socket listens.

    Returns:
        All accepted photos, including those of earlier reviews.

    Raises:
        ValueError: The folder has never held feedback.
        OSError: The server cannot listen on the port.
    """
    store = FeedbackStore(folder)
    if not any((folder / name).is_dir() for name in (UNCHECKED, ACCEPTED)):
        raise ValueError(
            f"{folder} holds no feedback. Expected the folder that US_BILLS_FEEDBACK names, once a"
            " photo was sent in."
        )
    store.expire()
    # Werkzeug would write the token to the terminal with each request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    token = secrets.token_urlsafe(16)
    try:
        server = make_server(HOST, port, create_app(store, token, [HOST]), threaded=True)
    except SystemExit as error:  # Werkzeug ends the process where it cannot listen.
        raise OSError(f"Cannot listen on port {port}.") from error
    opened(f"http://{HOST}:{server.server_port}/{token}/")
    server.serve_forever()
    return store.photos(ACCEPTED)
