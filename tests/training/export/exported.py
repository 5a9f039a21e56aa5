"""Runs an exported version as the local model server does, also in a separate process.

`python -m tests.training.export.exported FOLDER SHAPE...` sends each signature that takes a picture
a tensor of each shape, such as `1,224,224,3` or `-` for a scalar, and prints one line of JSON each.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from serving.local.errors import StatusError
from serving.local.runtime.saved_model import SavedModel


class Exported:
    """A version in a session of the local model server, which checks no shape by itself."""

    def __init__(self, folder: Path) -> None:
        self._model = SavedModel(folder)

    @property
    def of_pictures(self) -> list[str]:
        """The signatures that take `image`."""
        signatures = self._model.signatures
        return sorted(name for name in signatures if "image" in signatures[name].inputs)

    def ask(self, signature: str, value: Any) -> dict[str, Any]:
        """Feeds the one input of a signature and returns its outputs by name."""
        described = self._model.signatures[signature]
        (info,) = described.inputs.values()
        names = sorted(described.outputs)
        fetches = [described.outputs[name].name for name in names]
        return dict(zip(names, self._model.run({info.name: value}, fetches), strict=True))

    def files(self, *files: bytes) -> dict[str, Any]:
        """Asks `serve_bytes`."""
        return self.ask("serve_bytes", np.array(files, np.object_))

    def error(self, signature: str, value: Any) -> str:
        """Returns the code and the text of the error that a value gets, or an empty text."""
        try:
            self.ask(signature, value)
        except StatusError as error:
            return f"{error.code.name}: {error.message}"
        return ""


def main(folder: str, *shapes: str) -> None:
    """Prints the error of each signature and shape."""
    version = Exported(Path(folder))
    for shape in shapes:
        sides = [int(side) for side in shape.split(",")] if shape != "-" else []
        for signature in version.of_pictures:
            error = version.error(signature, np.zeros(sides, np.uint8))
            sys.stdout.write(json.dumps([signature, sides, error]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
