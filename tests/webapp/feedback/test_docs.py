"""The examples of `docs/feedback.md` give the output that the page shows."""

import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from tests import specimen
from tests.end_to_end.conftest import blocks
from tests.support.servers import ROOT, ModelServer
from tests.webapp.server import FrontEnd
from webapp.feedback.record import Feedback
from webapp.feedback.store import FeedbackStore

DOCUMENT = (ROOT / "docs" / "feedback.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_example_is_kept_and_deleted_as_it_says(
    model_server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(specimen.encode(specimen.bill("20"), "JPEG"))
    settings = {"US_BILLS_FEEDBACK": str(tmp_path / "kept"), "US_BILLS_TIMEOUT": "60"}
    with FrontEnd(model_server.grpc_url, **settings) as front_end:
        front_end.wait_for("/readyz", 200)

        def run(example: str) -> str:
            command = example.replace("localhost:5000", f"127.0.0.1:{front_end.port}")
            shell = ["sh", "-ec", command]
            done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True)
            return done.stdout

        (example,), (shown,) = blocks(DOCUMENT, "sh"), map(json.loads, blocks(DOCUMENT, "json"))
        given = json.loads(run(example))
        assert given.keys() == shown.keys()
        assert (given["was"], given["answered"]) == (shown["was"], shown["answered"])
        store = FeedbackStore(tmp_path / "kept")
        assert store.find(given["id"])
        [deletes] = re.findall(r"`(curl -X DELETE .*?)`", DOCUMENT)
        run(deletes.replace("/ID", f"/{given['id']}"))
        assert store.find(given["id"]) is None


def test_the_record_has_the_fields_that_are_told() -> None:
    [told] = re.findall(r"a line of JSON: (.*)$", DOCUMENT, re.MULTILINE)
    assert set(told.split(", ")) == {field.name for field in fields(Feedback)}
