"""A user with access to `serving/config` alone cannot harm a process by writing there."""

from __future__ import annotations

import json
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import requests
from flask.testing import FlaskClient

from serving import files
from serving.local.errors import StatusError
from serving.local.lifecycle import config_files
from serving.local.settings import Settings as ServerSettings
from serving.rollout.checks.golden_set import Golden, judge
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of
from serving.rollout.state.files import append, exclusive, write_atomically
from serving.rollout.state.history import History
from serving.rollout.steps import run
from serving.traffic import NO_CANARY, VERSIONS, Splits, Traffic, read
from tests import specimen
from tests.hostile import odd_files
from tests.serving.rollout.checked import believe
from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer, wait_until
from webapp import create_app
from webapp.settings import Settings

pytestmark = pytest.mark.hostile

PHOTO = specimen.encode(specimen.bill("20", width=300), "JPEG")
SHIPPED = (ROOT / "serving" / "config" / "models.config").read_text(encoding="utf-8")
HANGS_SECONDS = 20.0

Result = TypeVar("Result")


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Lets this process grow by 4 GB, so that a reader which never ends fails, and nothing else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**32, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def without_hanging(work: Callable[[], Result]) -> Result:
    """Does something in a thread, so that a test whose reader hangs fails instead of hanging."""
    outcome: Future[Result] = Future()

    def keep() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    with bounded_memory():
        threading.Thread(target=keep, daemon=True).start()
        return outcome.result(HANGS_SECONDS)


@pytest.fixture(params=odd_files.KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Makes a file that is none."""
    made: Callable[[Path], None] = request.param
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server of the shipped version 1 that looks at its configuration every second."""
    folder = tmp_path_factory.mktemp("server")
    root = f"--models_root={ROOT / 'models'}"
    flags = [root, *HOW_TO_SERVE, "--model_config_file_poll_wait_seconds=1"]
    with ModelServer(folder, flags, SHIPPED, wait_for=["us_bills"]) as running:
        yield running


@pytest.fixture
def browser(server: ModelServer, tmp_path: Path) -> FlaskClient:
    """A front end whose traffic file is `traffic.json` of the test's folder."""
    settings = {
        "US_BILLS_MODEL_SERVER": server.grpc_url,
        "US_BILLS_TRAFFIC_FILE": str(tmp_path / "traffic.json"),
        "US_BILLS_TIMEOUT": "60",
    }
    return create_app(Settings.from_env(settings)).test_client()


@pytest.fixture
def offline(tmp_path: Path) -> Deployment:
    """A deployment of one version whose server does not run."""
    shutil.copytree(ROOT / "models" / "us_bills" / "1", tmp_path / "models" / "us_bills" / "1")
    config = tmp_path / "config"
    config.mkdir()
    (config / "models.config").write_text(SHIPPED)
    return Deployment.at(
        config / "models.config", models_root=tmp_path / "models", server="grpc://127.0.0.1:1"
    )


def flags_of(offline: Deployment) -> list[str]:
    """The flags that name it on the command line."""
    root = offline.store.folder.parent
    where = [f"--config={offline.config.file}", f"--models-root={root}"]
    return [*where, f"--server={offline.server.url}", "--webapp="]


def test_a_reader_refuses_what_is_no_file_at_once(
    tmp_path: Path, kind: Callable[[Path], None]
) -> None:
    kind(tmp_path / "file")
    with pytest.raises((files.UnfitFile, OSError)):
        without_hanging(lambda: files.read_bytes(tmp_path / "file"))


def test_a_mounted_config_map_is_read_and_followed(tmp_path: Path) -> None:
    """Kubernetes writes a folder, and moves one link to it: `..data`."""
    for percent in (10, 20):
        fresh = tmp_path / f"..2026_{percent}"
        fresh.mkdir()
        splits = Splits({"half": Traffic(2, percent)})
        (fresh / "traffic.json").write_text(splits.text())
        link = tmp_path / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(tmp_path / "..data")
        if percent == 10:
            (tmp_path / "traffic.json").symlink_to("..data/traffic.json")
        assert read(tmp_path / "traffic.json", "half") == splits


def test_the_front_end_keeps_the_last_good_share_and_answers(
    browser: FlaskClient, tmp_path: Path, kind: Callable[[Path], None]
) -> None:
    file = tmp_path / "traffic.json"
    file.write_text(Splits({"us_bills": Traffic(1, 100)}).text())
    assert answer_of(browser) == (200, "canary")
    file.unlink()
    kind(file)
    # A link that leads nowhere is no file, so there is no trial.
    expected = "stable" if kind is odd_files.link_to_itself else "canary"
    assert without_hanging(lambda: answer_of(browser)) == (200, expected)


def answer_of(browser: FlaskClient) -> tuple[int, str]:
    """Status, and which version answered a photo."""
    reply = browser.post("/predict", data=PHOTO, content_type="image/jpeg")
    return reply.status_code, reply.get_json().get("model", {}).get("label")


@pytest.mark.parametrize("number", [-1, 2**63, 10**30, 1e18, True])
def test_a_version_that_the_protocol_has_no_room_for_costs_no_answer(
    browser: FlaskClient, tmp_path: Path, number: float
) -> None:
    (tmp_path / "traffic.json").write_text(json.dumps({"canary": number, "percent": 100}))
    assert answer_of(browser) == (200, "stable")


def test_a_version_of_the_largest_number_is_asked_for_and_stable_answers(
    browser: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "traffic.json").write_text(json.dumps({"canary": 2**63 - 1, "percent": 100}))
    assert answer_of(browser) == (200, "stable")


def test_the_model_server_stays_with_the_last_good_configuration_and_follows_the_next(
    server: ModelServer, kind: Callable[[Path], None]
) -> None:
    file, told, name = server.config_file, len(server.output()), kind.__name__
    file.unlink()
    kind(file)
    try:
        for _ in wait_until("the refusal", time.monotonic() + HANGS_SECONDS):
            if "the last good one stays" in server.output()[told:]:
                break
        assert server.states("us_bills") == {1: "AVAILABLE"}
    finally:
        remove(file)
        labelled = f'version_labels {{ key: "{name}" value: 1 }} version_labels {{'
        file.write_text(SHIPPED.replace("version_labels {", labelled))
    label = f"{server.rest_url}/v1/models/us_bills/labels/{name}"
    for _ in wait_until(f"the label {name}", time.monotonic() + HANGS_SECONDS):
        if requests.get(label, timeout=10).ok:
            return


def remove(file: Path) -> None:
    """Removes a file of any kind."""
    if file.is_dir() and not file.is_symlink():
        file.rmdir()
    else:
        file.unlink()


@pytest.mark.parametrize(
    "flag", ["model_config_file", "monitoring_config_file", "batching_parameters_file"]
)
def test_the_model_server_refuses_to_start_with_one_and_names_it(
    tmp_path: Path, kind: Callable[[Path], None], flag: str
) -> None:
    kind(tmp_path / "odd")
    base = {"model_base_path": str(tmp_path), "enable_batching": flag.startswith("batching")}
    settings = ServerSettings(**base | {flag: str(tmp_path / "odd")})  # type: ignore[arg-type]
    with pytest.raises(StatusError, match=str(tmp_path / "odd")):
        without_hanging(lambda: config_files.check(settings))


def test_commands_name_what_is_in_the_place_of_the_configuration(
    offline: Deployment, kind: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    offline.config.file.unlink()
    kind(offline.config.file)
    assert without_hanging(lambda: main([*flags_of(offline), "status"])) == 1
    assert "The configuration cannot be read: " in capsys.readouterr().err


def test_a_share_is_written_over_whatever_has_the_traffic_files_name(
    offline: Deployment, kind: Callable[[Path], None]
) -> None:
    kind(offline.traffic_file)
    with pytest.raises(Refused, match=r"traffic\.json cannot be understood"):
        without_hanging(offline.traffic)
    if kind is odd_files.folder:
        with pytest.raises(IsADirectoryError):
            offline.write_split(NO_CANARY)
        return
    without_hanging(lambda: offline.write_split(Traffic(2, 10)))
    assert offline.traffic() == Traffic(2, 10)
    assert not offline.traffic_file.is_symlink()


def note(file: Path) -> None:
    """Adds a line as a history does."""
    append(file, {"n": 1})


def lock(file: Path) -> None:
    """Holds a lock for a moment."""
    with exclusive(file, "somebody", 0):
        pass


@pytest.mark.parametrize("name", ["rollout.lock", "rollouts.jsonl"])
def test_a_command_writes_into_nothing_else_than_its_own_files(
    offline: Deployment, kind: Callable[[Path], None], name: str
) -> None:
    file = offline.config.file.with_name(name)
    kind(file)
    if kind is odd_files.endless:
        # Neither is read as a whole.
        hold(offline)
    else:
        with pytest.raises((Refused, OSError), match=name):
            without_hanging(lambda: hold(offline))


def hold(offline: Deployment) -> None:
    """Takes the lock and adds a line to the history, as each command does."""
    with offline.exclusive("a command"):
        offline.history.note("a command", "began")


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symlink", "second name"])
@pytest.mark.parametrize("write", [note, lock], ids=["history", "lock"])
def test_what_a_lock_or_a_history_leads_to_keeps_its_content(
    tmp_path: Path, link: Callable[[Path, Path], None], write: Callable[[Path], None]
) -> None:
    (tmp_path / "precious").write_text("a week's work")
    link(tmp_path / "precious", tmp_path / "file")
    with pytest.raises(Refused, match=r"Expected .*/file to "):
        write(tmp_path / "file")
    assert (tmp_path / "precious").read_text() == "a week's work"


def test_what_a_draft_leads_to_keeps_its_content(tmp_path: Path) -> None:
    precious, file = tmp_path / "precious", tmp_path / "models.config"
    precious.write_text("a week's work")
    for name in (file.name, f".{file.name}.{os.getpid()}", f".{file.name}.tmp"):
        (tmp_path / name).symlink_to(precious)
    write_atomically(file, "text")
    assert precious.read_text() == "a week's work"
    assert file.read_text() == "text"
    assert not file.is_symlink()


def test_a_line_that_somebody_forged_spares_no_version_its_check(
    offline: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = offline.store.folder / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"garbage")
    offline.history.note("publish", "checked", checked=digest_of(broken), growth_bytes=1)
    for command in ("canary", "promote"):
        assert main([*flags_of(offline), command, "2"]) == 1
        assert "check its files: Can't parse" in capsys.readouterr().err
    assert offline.layout().versions == {1}


@pytest.mark.parametrize(
    "line", ['{"event": 1', "[1]", '{"published": "x"}', '{"published": 1e99}']
)
def test_a_history_that_somebody_wrote_to_is_read_as_far_as_it_makes_sense(
    tmp_path: Path, line: str
) -> None:
    history = History(tmp_path / "history", "m")
    history.note("publish", "published", published=7)
    forged = line.replace("{", '{"model": "m", ')
    with (tmp_path / "history").open("ab") as out:
        out.write(f"{forged}\n{'[' * 100_000}\n".encode() + b"\xff\n")
    assert history.versions() == {7}
    assert history.unfinished() is None


def test_a_number_that_leaves_none_above_it_is_told(offline: Deployment) -> None:
    offline.history.note("publish", "published", published=VERSIONS[-1])
    candidate = shutil.copytree(offline.store.path(1), offline.store.folder.parent / "candidate")
    (candidate / "note").write_text("so that it is another one")
    believe(offline, candidate)
    command = publish(offline, "publish", candidate)
    with pytest.raises(Refused, match=f"No number is left above {VERSIONS[-1]}"):
        run(command, offline.history, print)


def test_a_golden_photo_that_is_no_file_is_named(
    tmp_path: Path, kind: Callable[[Path], None]
) -> None:
    (tmp_path / "20").mkdir()
    kind(tmp_path / "20" / "photo.jpg")
    with pytest.raises(Refused, match=r"A golden photo cannot be read: .*photo\.jpg"):
        without_hanging(lambda: judge(Golden(tmp_path), lambda _: {}))
