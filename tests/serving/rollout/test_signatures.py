"""With the site's key, a version that differs from what was signed is refused at every step."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.__main__ import main as serving
from serving.rollout import commands
from serving.rollout.cli import main
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of
from serving.signing.versions import SIGNATURE, Verifier
from tests.serving import models
from tests.serving.rollout.conftest import CONFIG, FLAGS, do, where
from tests.support import keys
from tests.support.servers import ModelServer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> keys.KeyPair:
    return keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def candidate(small_models: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_models / "half" / "2", tmp_path / "candidate")


def call(deployment: Deployment, pair: keys.KeyPair, *command: str) -> int:
    return main([*where(deployment), f"--verify-key={pair.public}", *command])


def sign(folder: Path, pair: keys.KeyPair) -> None:
    assert serving(["sign", str(folder), f"--sign-key={pair.private}"]) == 0


def test_publish_signs_what_it_publishes(
    offline: Deployment, candidate: Path, pair: keys.KeyPair
) -> None:
    assert call(offline, pair, "publish", str(candidate), f"--sign-key={pair.private}") == 0
    Verifier(pair.public)(offline.store.path(2))
    assert not (candidate / SIGNATURE).exists()
    # Signed or not, the same content is the same version.
    assert digest_of(candidate) == digest_of(offline.store.path(2))


def test_publish_signs_a_version_that_is_published_already(
    offline: Deployment, pair: keys.KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    own = offline.store.path(1)
    assert call(offline, pair, "publish", str(own), f"--sign-key={pair.private}") == 0
    assert "copy: the same files are version 1" in capsys.readouterr().out
    Verifier(pair.public)(own)


def test_an_unsigned_version_is_not_published(
    offline: Deployment, candidate: Path, pair: keys.KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(offline, pair, "publish", str(candidate)) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"{candidate} is not signed: it has no model.sig")
    assert "checked" not in [line["event"] for line in offline.history.lines()]
    sign(candidate, pair)
    assert call(offline, pair, "publish", str(candidate)) == 0
    Verifier(pair.public)(offline.store.path(2))


def test_a_key_that_is_not_the_sites_publishes_nothing(
    offline: Deployment,
    candidate: Path,
    pair: keys.KeyPair,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = keys.make(tmp_path / "other")
    assert call(offline, pair, "publish", str(candidate), f"--sign-key={other.private}") == 1
    assert "model.sig: The signature is not by the site's key" in capsys.readouterr().err
    assert set(offline.store.versions()) == {1}
    assert not list(offline.store.folder.glob(".*"))
    assert "servers load what they are told to" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["canary", "promote"])
def test_an_altered_version_is_not_rolled_out(
    offline: Deployment,
    candidate: Path,
    pair: keys.KeyPair,
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(offline, pair, "publish", str(candidate), f"--sign-key={pair.private}") == 0
    altered = offline.store.path(2) / "variables" / "variables.index"
    altered.write_bytes(altered.read_bytes() + b"\0")
    assert call(offline, pair, command, "2") == 1
    assert f"signature: {altered} was altered after" in capsys.readouterr().err
    assert offline.layout().versions == {1}


def test_status_tells_of_an_altered_stable_version(
    offline: Deployment, pair: keys.KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    stable = offline.store.path(1)
    sign(stable, pair)
    assert call(offline, pair, "status") == 0
    assert "signed" not in capsys.readouterr().out
    (stable / "saved_model.pb").write_bytes(b"another program")
    assert call(offline, pair, "status") == 0
    assert f"{stable / 'saved_model.pb'} was altered after" in capsys.readouterr().out


def test_the_variable_stands_for_the_flag(
    offline: Deployment,
    candidate: Path,
    pair: keys.KeyPair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("US_BILLS_VERIFY_KEY", str(pair.public))
    assert main([*where(offline), "publish", str(candidate)]) == 1
    assert "is not signed" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--verify-key", "--sign-key"])
def test_a_key_that_cannot_be_used_is_told(
    offline: Deployment, candidate: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = candidate / "saved_model.pb"
    before = [f"{flag}={wrong}"] if flag == "--verify-key" else []
    after = [] if before else [f"{flag}={wrong}"]
    assert main([*where(offline), *before, "publish", *after, str(candidate)]) == 1
    assert f"{wrong}: Expected an elliptic-curve key" in capsys.readouterr().err


def test_verify_tells_of_each_version_that_a_configuration_asks_for(
    offline: Deployment, candidate: Path, pair: keys.KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["verify", f"--config={offline.config.file}", f"--verify-key={pair.public}"]
    stable = offline.store.path(1)
    # On disk, and not asked for.
    shutil.copytree(candidate, offline.store.folder / "2")
    assert serving(arguments) == 1
    assert f"{stable} is not signed" in capsys.readouterr().err
    sign(stable, pair)
    assert serving(arguments) == 0
    assert capsys.readouterr().out == f"{stable}: signed by the site's key\n"
    assert serving(["verify", str(candidate), f"--verify-key={pair.public}"]) == 1


def test_verify_does_not_pass_what_it_has_not_verified(
    offline: Deployment, candidate: Path, pair: keys.KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    config, folder = offline.config.file, offline.store.folder
    key = f"--verify-key={pair.public}"
    sign(offline.store.path(1), pair)
    assert serving(["verify", key]) == 1
    assert "Expected folders of versions, or --config" in capsys.readouterr().err
    config.write_text(config.read_text().replace("versions: 1", "versions: 1 versions: 7"))
    assert serving(["verify", key, f"--config={config}"]) == 1
    assert f"{folder} has no version 7" in capsys.readouterr().err
    # Of two folders of one number a server that loads all takes the first.
    all_of_them = config.read_text().replace("specific { versions: 1 versions: 7 }", "all {}")
    config.write_text(all_of_them)
    shutil.copytree(candidate, folder / "01")
    assert serving(["verify", key, f"--config={config}"]) == 1
    assert f"{folder / '01'} is not signed" in capsys.readouterr().err


def test_verify_and_sign_say_what_they_lack(
    candidate: Path, pair: keys.KeyPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving(["verify", str(candidate)]) == 1
    assert "Expected a public key: --verify-key" in capsys.readouterr().err
    assert serving(["verify", f"--config={tmp_path / 'none'}", f"--verify-key={pair.public}"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert serving(["sign", str(tmp_path), f"--sign-key={pair.private}"]) == 1
    assert "Expected the folder of a SavedModel" in capsys.readouterr().err


@pytest.fixture
def signed_site(small_models: Path, tmp_path: Path, pair: keys.KeyPair) -> ModelServer:
    """A server that verifies, not running yet, of a signed version 1."""
    version = models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    sign(version, pair)
    (tmp_path / "models.config").write_text(CONFIG.format(tmp_path))
    # It would try again after a minute, five times.
    flags = [flag for flag in FLAGS if "retries" not in flag]
    flags += [f"--model_config_file={tmp_path / 'models.config'}", f"--verify_key={pair.public}"]
    return ModelServer(tmp_path, flags, wait_for=["half"])


def test_a_server_loads_what_is_signed_and_refuses_the_rest_at_once(
    signed_site: ModelServer, candidate: Path, tmp_path: Path
) -> None:
    with signed_site as server:
        models.publish(candidate, tmp_path / "half", 2)
        text = server.config_file.read_text().replace("versions: 1", "versions: [1, 2]")
        server.config_file.write_text(text)
        server.wait_for_state("half", 2, "END")
        assert server.states("half")[1] == "AVAILABLE"


def test_what_is_signed_later_is_loaded_then(
    signed_site: ModelServer, candidate: Path, pair: keys.KeyPair, tmp_path: Path
) -> None:
    with signed_site as server:
        late = models.publish(candidate, tmp_path / "half", 2)
        text = server.config_file.read_text().replace("versions: 1", "versions: [1, 2]")
        server.config_file.write_text(text)
        server.wait_for_state("half", 2, "END")
        sign(late, pair)
        server.wait_for_state("half", 2, "AVAILABLE")


def test_a_server_does_not_start_with_an_altered_stable_version(
    signed_site: ModelServer, tmp_path: Path
) -> None:
    with signed_site as server:
        assert server.stop() == 0
        altered = tmp_path / "half" / "1" / "saved_model.pb"
        altered.write_bytes(altered.read_bytes() + b"\0")
        assert server.launch().wait(60) == 255
        assert f"UNAUTHENTICATED: {altered} was altered after" in server.output()


def test_a_server_with_an_unusable_key_does_not_start(
    signed_site: ModelServer, tmp_path: Path
) -> None:
    signed_site.flags = [*signed_site.flags, f"--verify_key={tmp_path / 'none'}"]
    assert signed_site.launch().wait(60) == 255
    assert f"--verify_key={tmp_path / 'none'}: " in signed_site.output()


def test_a_rollback_needs_no_key(
    checked: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    do(checked, commands.promote(checked, "promote 2", 2, commands.Limits()))
    monkeypatch.setenv("US_BILLS_VERIFY_KEY", "/nowhere/verify.pub")
    assert main([*where(checked), "rollback"]) == 0
    assert checked.layout().stable == 1
    assert main([*where(checked), "promote", "2"]) == 1
    assert "/nowhere/verify.pub" in capsys.readouterr().err
