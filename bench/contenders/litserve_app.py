"""LitServe: a `LitAPI` whose worker processes decode and predict.

`python -m bench.contenders.litserve_app PORT`.
"""

import sys
from typing import Any

import litserve
from fastapi import Request
from PIL import Image

from bench.contenders.network import WORKERS, Network
from tests.support.servers import HOST


class Bills(litserve.LitAPI):  # type: ignore[misc]  # untyped
    """The four steps of LitServe's own examples."""

    def setup(self, device: str) -> None:
        """Loads the network in each worker, with one thread per worker."""
        self.network = Network(threads=1)

    def decode_request(self, request: Request) -> Image.Image:
        """Opens the form field `image`; LitServe passes the form because of the annotation."""
        return Image.open(request["image"].file)

    def predict(self, picture: Image.Image) -> dict[str, Any]:
        """Decodes the picture and returns class and probability."""
        return self.network(picture)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Returns the output unchanged, since it is ready for JSON."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Bills(), accelerator="cpu", workers_per_device=WORKERS, fast_queue=True
    )
    server.run(
        host=HOST,
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
