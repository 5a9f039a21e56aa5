"""A version whose files cannot be read is a failed load like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.client import connect
from tests.serving import models
from tests.support.servers import ModelServer

CONFIG = """model_config_list {{
  config {{ name: "half" base_path: "{0}/half" model_platform: "tensorflow" }}
  config {{ name: "later" base_path: "{0}/later" model_platform: "tensorflow" }}
}}
"""


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/proc/self/mem", "outside the version"),
        ("saved_model.pb", "neither a file nor a folder"),
    ],
    ids=["elsewhere", "to itself"],
)
def test_a_version_that_is_a_link_says_why_and_holds_up_no_other_model(
    small_models: Path, tmp_path: Path, target: str, reason: str
) -> None:
    for name in ("half", "later"):
        models.publish(small_models / "half" / "1", tmp_path / name, 1)
    config = CONFIG.format(tmp_path)
    flags = ["--max_num_load_retries=0"]
    with ModelServer(tmp_path / "server", flags, config, ["half", "later"]) as server:
        (tmp_path / "half" / "2").mkdir()
        (tmp_path / "half" / "2" / "saved_model.pb").symlink_to(target)
        models.publish(small_models / "half" / "2", tmp_path / "later", 2)
        server.wait_for_state("later", 2, "AVAILABLE")
        server.wait_for_state("half", 2, "END")
        client = connect(server.grpc_url)
        unreadable, good = client.status("half")
        client.close()
        assert (unreadable.error_code, good.state) == ("FAILED_PRECONDITION", "AVAILABLE")
        assert reason in unreadable.error_message
        assert "Traceback" not in server.output()
