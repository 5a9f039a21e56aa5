"""The rollout's Job and what it needs in the cluster, and the script that starts it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from serving.rollout.arguments import parser
from serving.rollout.remote.addresses import Addresses
from serving.rollout.state.config import ConfigFile
from tests.containers.test_kubernetes import (
    NEWEST,
    OLDEST,
    OVERLAYS,
    environment,
    is_restricted,
    of_kind,
    pod,
    render,
    render_with,
)
from tests.support.servers import ROOT

SCRIPT = ROOT / "deploy" / "kubernetes" / "rollout.sh"
JOB = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "rollout.yaml").read_text())
SPEC = JOB["spec"]["template"]["spec"]
KUBECTL = """#!/bin/bash
# In the cluster's place: `patch --local` needs none; the Job is kept, and has ended with a status.
case "$*" in
  *patch*) exec {kubectl} "$@" ;;
  *create*) cat > {folder}/job.yaml; echo job.batch/rollout-x ;;
  *logs*) echo "what the command said"; {logs} ;;
  *"get pods"*) echo -n {code} ;;
  *get*) echo -n 1 ;;
esac
"""


@pytest.fixture(scope="module")
def resources() -> list[dict[str, Any]]:
    """Production, whose versions lie on a volume."""
    return render(OVERLAYS / "production")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_job_is_what_the_schema_says(version: str) -> None:
    kubernetes_validate.validate(JOB, version, strict=True)


def test_the_job_has_no_rights_and_limited_memory(resources: list[dict[str, Any]]) -> None:
    for container in [*SPEC["initContainers"], *SPEC["containers"]]:
        assert is_restricted(SPEC["securityContext"] | container["securityContext"])
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
    assert SPEC["automountServiceAccountToken"] is False
    assert SPEC["serviceAccountName"] in of_kind(resources, "ServiceAccount")
    bound = {role["roleRef"]["name"]: role for role in of_kind(resources, "RoleBinding").values()}
    assert bound.keys() == of_kind(resources, "Role").keys()
    for binding in bound.values():
        assert [subject["kind"] for subject in binding["subjects"]] == ["Group"]


def test_the_job_runs_the_command_on_the_files_that_both_tiers_read(
    resources: list[dict[str, Any]],
) -> None:
    (container,) = SPEC["containers"]
    assert container["command"][:4] == ["python3", "-m", "serving", "rollout"]
    options = parser().parse_args([*container["command"][4:], *container["args"]])
    (server,) = pod(resources, "serving")["containers"]
    named = [flag for flag in server["args"] if flag.startswith("--model_config_file=")]
    assert named[-1] == f"--model_config_file={options.config}"
    traffic = environment(resources)["US_BILLS_TRAFFIC_FILE"]
    assert traffic == str(options.config.with_name("traffic.json"))


def test_only_the_job_may_write_to_the_volume(resources: list[dict[str, Any]]) -> None:
    mounts = {mount["name"]: mount for mount in SPEC["containers"][0]["volumeMounts"]}
    assert mounts["models"] == {"name": "models", "mountPath": "/models"}
    for name in ("serving", "web"):
        (container,) = pod(resources, name)["containers"]
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "models"]
        assert mount == {"name": "models", "mountPath": "/models", "readOnly": True}
        (volume,) = [v for v in pod(resources, name)["volumes"] if v["name"] == "models"]
        assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


def test_the_names_that_the_job_asks_stand_for_all_pods_and_lead_to_their_ports(
    resources: list[dict[str, Any]],
) -> None:
    options = parser().parse_args([*SPEC["containers"][0]["command"][4:], "status"])
    services = of_kind(resources, "Service")
    policies = of_kind(resources, "NetworkPolicy")
    (to_servers, to_front_ends, _) = policies["rollout"]["spec"]["egress"]
    for (text,), flag, tier, way in (
        (options.server, "--server", "serving", to_servers),
        (options.webapp, "--webapp", "web", to_front_ends),
    ):
        scheme = "grpc" if flag == "--server" else "http"
        Addresses(text, flag, scheme, f"{scheme}://host:port")
        name, _, port = text.removeprefix("dns:///").partition(":")
        spec = services[name]["spec"]
        assert spec["clusterIP"] == "None"
        assert spec["selector"] == {"app": tier}
        (container,) = pod(resources, tier)["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        (there,) = spec["ports"]
        assert there["port"] == ports[there["targetPort"]] == int(port)
        assert way["to"] == [{"podSelector": {"matchLabels": {"app": tier}}}]
        assert way["ports"] == [{"port": int(port)}]
        let_in = policies[f"{tier}-from-rollout"]["spec"]
        assert let_in["podSelector"] == {"matchLabels": {"app": tier}}
        (rule,) = let_in["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": JOB["metadata"]["labels"]}}]
        assert rule["ports"] == [{"port": there["targetPort"]}]


@pytest.mark.parametrize("component", ["mutual-tls", "signed"])
def test_the_job_reads_the_settings_of_a_component_and_finds_its_files(
    tmp_path: Path, component: str
) -> None:
    resources = render_with(f"models-volume\n  - ../../components/{component}", tmp_path)
    named = [one["configMapRef"]["name"] for one in SPEC["containers"][0]["envFrom"]]
    maps = of_kind(resources, "ConfigMap")
    (settings,) = [maps[name]["data"] for name in named if name in maps]
    mounts = {m["mountPath"]: m["name"] for m in SPEC["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in SPEC["volumes"]}
    tier = "serving" if component == "signed" else "web"
    (container,) = pod(resources, tier)["containers"]
    theirs = {one["name"]: one["value"] for one in container["env"]}
    for name, file in settings.items():
        assert theirs[name] == file
        volume = volumes[mounts[str(Path(file).parent)]]
        (source,) = (volume[kind] for kind in ("secret", "configMap") if kind in volume)
        assert source["optional"] is True


def test_steps_see_model_servers_that_are_starting(resources: list[dict[str, Any]]) -> None:
    assert of_kind(resources, "Service")["serving-pods"]["spec"]["publishNotReadyAddresses"] is True


def test_a_drained_node_waits_for_the_command_that_runs_on_it(
    resources: list[dict[str, Any]],
) -> None:
    budget = of_kind(resources, "PodDisruptionBudget")["rollout"]["spec"]
    # Of pods of a Job Kubernetes takes a number of those that must stay, and nothing else.
    assert budget["minAvailable"] == 1
    labels = JOB["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert JOB["spec"]["backoffLimit"] == 0


def test_a_new_volume_gets_the_repositorys_configuration_and_an_old_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    (container,) = SPEC["initContainers"]
    *shell, text = container["command"]
    repository, volume = ROOT / "serving" / "config", tmp_path / "volume"
    text = text.replace(" /config/", f" {repository}/").replace(" /models/", f" {volume}/")
    file = volume / "config" / "models.config"
    subprocess.run([*shell, text], check=True)
    assert ConfigFile(file).model == "us_bills"
    for model in ConfigFile(file).models:
        assert (volume / model).is_dir()
    file.write_text("as a rollout made it")
    subprocess.run([*shell, text], check=True)
    assert file.read_text() == "as a rollout made it"


@pytest.mark.parametrize(("code", "logs"), [(0, "true"), (3, "true"), (1, "false")])
def test_the_script_starts_the_job_with_its_arguments_and_ends_as_it_does(
    tmp_path: Path, code: int, logs: str
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("`kubectl` is not installed")
    fake = tmp_path / "kubectl"
    fake.write_text(KUBECTL.format(kubectl=kubectl, folder=tmp_path, code=code, logs=logs))
    fake.chmod(0o755)
    words = ["canary", "2", "--percent", "10", "--by", "request", "--allow-op", 'It\'s "odd"']
    done = subprocess.run(
        [SCRIPT, *words],
        env=os.environ
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "US_BILLS_TOOLS_IMAGE": "registry/tools:2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "what the command said" in done.stdout
    job = yaml.safe_load((tmp_path / "job.yaml").read_text())
    kubernetes_validate.validate(job, OLDEST, strict=True)
    spec = job["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == words
    assert {c["image"] for c in [*spec["containers"], *spec["initContainers"]]} == {
        "registry/tools:2"
    }
    parser().parse_args([*spec["containers"][0]["command"][4:], *words])


def test_the_documented_commands_exist() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    typed = [
        line.removeprefix("$ deploy/kubernetes/rollout.sh ")
        for line in manual.splitlines()
        if line.startswith("$ deploy/kubernetes/rollout.sh ")
    ]
    assert len(typed) >= 5
    for line in typed:
        parser().parse_args(shlex.split(line, comments=True))
