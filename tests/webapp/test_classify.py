"""`python -m webapp classify`: a table or JSON lines, by the same code as the page."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests import specimen
from tests.support.counting import picture
from tests.support.servers import ROOT, ModelServer, free_port
from tests.webapp import hostile
from webapp.__main__ import main


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "bill.jpg"
    path.write_bytes(specimen.encode(specimen.bill("20", width=320), "JPEG"))
    return path


def classify(server: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "webapp", "classify", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"US_BILLS_MODEL_SERVER": server},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_each_photo_gets_a_line(model_server: ModelServer, photo: Path) -> None:
    done = classify(model_server.grpc_url, photo, photo)
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == [str(photo)] * 2


def test_json_lines_hold_the_answer_of_the_api(
    model_server: ModelServer, photo: Path, client_for: Callable[..., FlaskClient]
) -> None:
    client = client_for(counter="us_bills_count")
    line = json.loads(classify(model_server.grpc_url, "--json", photo).stdout)
    reply = client.post("/predict", data=photo.read_bytes(), content_type="image/jpeg").get_json()
    (prediction,) = reply["predictions"]
    assert line.pop("model") == reply["model"]
    assert line.pop("count") == reply["count"]
    assert line.pop("filename") == str(photo)
    assert line.pop("probabilities") == pytest.approx(prediction["probabilities"], abs=1e-3)
    assert line == {name: prediction[name] for name in line}


def test_several_bills_stand_behind_the_answer(
    counting_server: ModelServer, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("US_BILLS_COUNTER_TIMEOUT", "60")
    bills = [("1", (10, 10, 90, 60)), ("20", (150, 20, 300, 90)), ("10", (20, 120, 200, 250))]
    for unsure, told in ((False, "together $31"), (True, "not sure")):
        picture(bills, unsure=unsure).save(photo.with_suffix(".png"))
        done = classify(counting_server.grpc_url, photo.with_suffix(".png"))
        assert done.stdout.strip().endswith(f"bill.png: 3 bills, $20 + $10 + $1, {told}")
    done = classify(counting_server.grpc_url, "--no-count", photo.with_suffix(".png"))
    assert done.stdout.strip().endswith("bill.png")


def test_a_version_that_does_not_exist_is_asked_for_and_not_served(
    model_server: ModelServer, photo: Path
) -> None:
    done = classify(model_server.grpc_url, "--version", "0", photo)
    assert done.returncode == 2
    assert "0" in done.stderr


@pytest.mark.parametrize("version", ["9223372036854775808", "-1", "new"])
def test_a_version_that_no_number_can_name_is_refused_with_what_was_expected(
    photo: Path, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["classify", f"--version={version}", str(photo)])
    assert ended.value.code == 2
    assert f"'{version}'. Expected a whole number" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    model_server: ModelServer, photo: Path
) -> None:
    done = classify(model_server.grpc_url, photo.with_name("missing.jpg"), photo)
    assert done.returncode == 1
    missing, answered = done.stdout.splitlines()
    assert missing.endswith("missing.jpg: No such file or directory")
    assert answered.endswith("bill.jpg")


def test_a_picture_that_takes_too_long_is_told_of_the_picture(
    model_server: ModelServer,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = photo.with_name("slow.png")
    slow.write_bytes(hostile.slow_picture())
    monkeypatch.setenv("US_BILLS_MODEL_SERVER", model_server.grpc_url)
    monkeypatch.setattr("webapp.decoding.pool.SLOWEST", 0.2)
    with pytest.raises(SystemExit) as ended:
        main(["classify", str(slow)])
    assert ended.value.code == 1
    assert "slow.png: Decoding the picture took too long" in capsys.readouterr().out


def test_without_a_model_server_it_says_so(photo: Path) -> None:
    done = classify(f"grpc://127.0.0.1:{free_port()}", photo)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
