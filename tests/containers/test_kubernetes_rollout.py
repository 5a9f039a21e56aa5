"""The rollout's Job, the resources that it needs in the cluster, and the script that starts it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
BUCKET = ROOT / "deploy" / "kubernetes" / "components" / "models-bucket"
JOB_OF_BUCKET = yaml.safe_load((BUCKET / "job.yaml").read_text())
KUBECTL = """#!/bin/bash
# In the cluster's place: `patch --local` needs none; the Job is kept, and has ended with a status.
case "$*" in
  *patch*) exec {kubectl} "$@" ;;
  *create*) cat > {folder}/job.yaml; echo job.batch/rollout-x ;;
  *logs*) echo "what the command said"; {logs} ;;
  *"get pods"*) echo -n {codes} ;;
  *get*) echo -n 1 ;;
esac
"""


@pytest.fixture(scope="module")
def resources() -> list[dict[str, Any]]:
    """Production, whose versions lie on a volume."""
    return render(OVERLAYS / "production")


@pytest.mark.parametrize("job", [JOB, JOB_OF_BUCKET], ids=["volume", "bucket"])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_job_is_what_the_schema_says(version: str, job: dict[str, Any]) -> None:
    kubernetes_validate.validate(job, version, strict=True)


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


@pytest.mark.parametrize(
    ("component", "job"), [("models-volume", JOB), ("models-bucket", JOB_OF_BUCKET)]
)
def test_a_drained_node_waits_for_the_command_that_runs_on_it(
    tmp_path: Path, component: str, job: dict[str, Any]
) -> None:
    resources = render_with(component, tmp_path)
    budget = of_kind(resources, "PodDisruptionBudget")["rollout"]["spec"]
    # Of pods of a Job Kubernetes takes a number of those that must stay, and nothing else.
    assert budget["minAvailable"] == 1
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert job["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize("component", ["models-volume", "models-bucket"])
def test_operators_may_start_the_job_and_read_what_it_says(tmp_path: Path, component: str) -> None:
    resources = render_with(component, tmp_path)
    allowed = {
        (resource, verb)
        for rule in of_kind(resources, "Role")["rollout"]["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {("jobs", "create"), ("jobs", "delete"), ("pods/log", "get")} <= allowed
    (subject,) = of_kind(resources, "RoleBinding")["rollout"]["subjects"]
    assert (subject["kind"], subject["name"]) == ("Group", "us-bills-operators")


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


def test_with_a_bucket_the_job_works_on_the_files_that_the_pods_bring(tmp_path: Path) -> None:
    resources = render_with("models-bucket", tmp_path)
    spec = JOB_OF_BUCKET["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    usual = SPEC["containers"][0]
    options = parser().parse_args([*container["command"][4:], *container["args"]])
    server = pod(resources, "serving")["containers"][0]
    named = [flag for flag in server["args"] if flag.startswith("--model_config_file=")]
    assert named[-1] == f"--model_config_file={options.config}"
    # A server that looked at its copy would take back what a rollout has told it.
    looks = [flag for flag in server["args"] if flag.startswith("--model_config_file_poll_wait")]
    assert looks[-1].endswith("=0")
    traffic = environment(resources)["US_BILLS_TRAFFIC_FILE"]
    assert traffic == str(options.config.with_name("traffic.json"))
    for name in ("image", "resources", "securityContext", "envFrom", "env"):
        assert container[name] == usual[name]
    for one in [*spec["initContainers"], container]:
        assert is_restricted(spec["securityContext"] | one["securityContext"])
        assert one["resources"]["limits"]["memory"]


def test_with_a_bucket_pods_and_job_run_the_same_scripts_for_the_same_bucket(
    tmp_path: Path,
) -> None:
    resources = render_with("models-bucket", tmp_path)
    scripts = of_kind(resources, "ConfigMap")["us-bills-pull"]["data"]
    assert scripts == {file.name: file.read_text() for file in BUCKET.glob("*.sh")}
    lock, pull, incoming, push = JOB_OF_BUCKET["spec"]["template"]["spec"]["initContainers"]
    # What fails before `push` begins gives the bucket back.
    first, pulls = pull["command"][:4], pull["command"][4:]
    assert first == incoming["command"][:4]
    assert first == ["sh", "/pull/or_unlock.sh", pulls[2], "$(JOB)"]
    assert push["restartPolicy"] == "Always"
    assert push["command"][2:] == [*pulls[2:], "$(JOB)"]
    # Claimed before anything is copied, under the name that `push` renews it by.
    assert lock["command"] == ["sh", "/pull/lock.sh", *pulls[2:4], "$(JOB)"]
    assert lock["env"] == push["env"]
    assert lock["env"][1] in pull["env"]
    pods = [pod(resources, name) for name in ("serving", "web")]
    containers = [c for one in pods for c in (*one["initContainers"], one["containers"][-1])]
    assert containers[0]["command"] == pulls
    for container in containers:
        assert container["command"][:4] == pulls[:4]
        assert container["image"] == pull["image"] == push["image"]
        assert container["envFrom"] == pull["envFrom"]
    policies = of_kind(resources, "NetworkPolicy")
    for name in ("serving", "web", "rollout"):
        assert {"ports": [{"port": 443}]} in policies[name]["spec"]["egress"]
    from_job = {"podSelector": {"matchLabels": JOB_OF_BUCKET["metadata"]["labels"]}}
    ingress = policies["serving"]["spec"]["ingress"]
    assert {"from": [from_job], "ports": [{"port": "grpc"}]} in ingress


class Kinds(BaseHTTPRequestHandler):
    """In the cluster's place: says which kinds there are, as `kubectl run` asks even when dry."""

    def do_GET(self) -> None:
        """Tells of pods, and of nothing else."""
        kinds: dict[str, dict[str, Any]] = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [
                    {"name": "pods", "namespaced": True, "kind": "Pod", "verbs": ["create"]}
                ],
            },
        }
        found = kinds.get(self.path.partition("?")[0])
        body = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def kinds() -> Iterator[str]:
    """The URL of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Kinds) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_documented_line_runs_the_same_pod_without_the_script(
    tmp_path: Path, kinds: str
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("`kubectl` is not installed")
    manual = (ROOT / "docs" / "operations.md").read_text()
    (line,) = re.findall(r"^\$ (kubectl --namespace us-bills run .*?[^\\])$", manual, re.M | re.S)
    dry = line.replace(" --rm --attach ", " --dry-run=client --output=yaml ", 1)
    assert dry != line
    done = subprocess.run(
        ["sh", "-c", dry.replace("run rollout", f"--server={kinds} run rollout", 1)],
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    kubernetes_validate.validate(made, OLDEST, strict=True)
    assert made["metadata"]["labels"]["app"] == "rollout"
    (container,) = made["spec"]["containers"]
    assert container["args"] == ["canary", "2", "--percent", "10"]
    usual = SPEC["containers"][0]
    assert {k: v for k, v in container.items() if k != "args"} == (
        {k: v for k, v in usual.items() if k != "args"}
    )
    for name in ("initContainers", "securityContext", "serviceAccountName", "volumes"):
        assert made["spec"][name] == SPEC[name]


@pytest.mark.parametrize("job", ["", str(BUCKET / "job.yaml")], ids=["volume", "bucket"])
@pytest.mark.parametrize(
    ("codes", "logs", "status"),
    # The first is of the command; the last of them all, of files that were not brought back.
    [
        ("0 0 0", "true", 0),
        ("3 0 0", "true", 3),
        ("1", "false", 1),
        ("", "false", 1),
        ("0 0 1", "true", 1),
    ],
)
def test_the_script_starts_the_job_with_its_arguments_and_ends_as_it_does(
    tmp_path: Path, codes: str, logs: str, status: int, job: str
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("`kubectl` is not installed")
    fake = tmp_path / "kubectl"
    fake.write_text(KUBECTL.format(kubectl=kubectl, folder=tmp_path, codes=codes, logs=logs))
    fake.chmod(0o755)
    words = ["canary", "2", "--percent", "10", "--by", "request", "--allow-op", 'It\'s "odd"']
    done = subprocess.run(
        [SCRIPT, *words],
        env=os.environ
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "US_BILLS_TOOLS_IMAGE": "registry/tools:2"}
        | {"US_BILLS_ROLLOUT_JOB": job},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "what the command said" in done.stdout
    made = yaml.safe_load((tmp_path / "job.yaml").read_text())
    kubernetes_validate.validate(made, OLDEST, strict=True)
    spec = made["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == words
    template = made["spec"]["template"]
    assert shlex.split(template["metadata"]["annotations"]["command"]) == words
    images = {c["image"] for c in [*spec["containers"], *spec["initContainers"]]}
    assert {image for image in images if not image.startswith("rclone/")} == {"registry/tools:2"}
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


def test_the_script_ends_when_its_job_is_deleted(tmp_path: Path) -> None:
    fake = tmp_path / "kubectl"
    fake.write_text(
        "#!/bin/bash\n"
        'case "$*" in *patch*) echo ;; *create*) cat >/dev/null; echo job.batch/rollout-x ;;\n'
        "  *logs*) exit 1 ;; esac\n"
    )
    fake.chmod(0o755)
    done = subprocess.run(
        [SCRIPT, "watch"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "job.batch/rollout-x was deleted.\n")
