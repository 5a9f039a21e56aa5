"""Serves the page of pictures on this machine alone, until Ctrl-C."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from werkzeug.serving import make_server

from training.review.page import create_app
from webapp.feedback.store import ACCEPTED, UNCHECKED, FeedbackStore

HOST = "127.0.0.1"


def serve(folder: Path, port: int, opened: Callable[[str], object]) -> list[Path]:
    """Serve the page of a folder of feedback until Ctrl-C.

    Args:
        folder: What `US_BILLS_FEEDBACK` names.
        port: Where to listen on 127.0.0.1; 0 for any free port.
        opened: Is told the page's address, which holds a token, once it is there.

    Returns:
        The photos that are accepted, those of earlier times too.

    Raises:
        ValueError: The folder has never held feedback.
        OSError: The port is taken.
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
    server = make_server(HOST, port, create_app(store, token, [HOST]), threaded=True)
    opened(f"http://{HOST}:{server.server_port}/{token}/")
    server.serve_forever()
    return store.photos(ACCEPTED)
