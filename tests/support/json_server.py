"""A stand-in for a server: it answers each GET with JSON."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Answers with the result of `answer`, and writes no log."""

    def answer(self) -> Any:
        """Returns the value to send as JSON."""
        raise NotImplementedError

    def do_GET(self) -> None:
        body = json.dumps(self.answer()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
