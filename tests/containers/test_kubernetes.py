"""The Kubernetes files, rendered as `kubectl apply -k` does and validated against the schemas."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from serving.rollout.signatures import verify_parser
from tests.containers.stack import PHOTO
from tests.containers.test_files import server_flags, shown_by_compose
from tests.support.servers import ROOT, ModelServer
from webapp.app import create_app
from webapp.settings import Settings

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
KSERVE = ROOT / "deploy" / "kserve"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
KUBECTL = """#!/bin/bash
while [[ $1 != -- ]]; do shift; done
shift
exec "${{@//\\/models/{}}}"
"""
# Image volumes came with 1.31.
OLDEST, NEWEST = "1.31", kubernetes_validate.latest_version()


def render(folder: Path) -> list[dict[str, Any]]:
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            done = subprocess.run(
                [*command, str(folder)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return list(yaml.safe_load_all(done.stdout))
    pytest.skip("neither `kustomize` nor `kubectl` is installed")


@pytest.fixture(
    scope="module",
    params=[
        "local",
        "production",
        "production, models in an image",
        "production, with feedback",
    ],
)
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What an overlay comes to."""
    name, _, changed = request.param.partition(", ")
    if not changed:
        return render(OVERLAYS / name)
    copy = tmp_path_factory.mktemp("copy")
    if changed == "with feedback":
        return render_with("models-volume\n  - ../../components/feedback", copy)
    return render_with("models-image", copy)


@pytest.fixture(scope="module")
def beside_kserve(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What production comes to where KServe runs the model server."""
    return render_with("kserve", tmp_path_factory.mktemp("copy"))


def render_with(component: str, copy: Path) -> list[dict[str, Any]]:
    """Production, edited as its comment says to have another component."""
    shutil.copytree(ROOT / "deploy", copy / "deploy")
    shutil.copytree(ROOT / "serving" / "config", copy / "serving" / "config")
    file = copy / OVERLAYS.relative_to(ROOT) / "production" / "kustomization.yaml"
    text = file.read_text()
    usual, wanted = "  - ../../components/models-volume", f"  - ../../components/{component}"
    assert usual in text
    file.write_text(text.replace(usual, wanted))
    return render(file.parent)


def of_kind(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {r["metadata"]["name"]: r for r in resources if r["kind"] == kind}


def pod(resources: list[dict[str, Any]], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind(resources, "Deployment")[name]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_resource_is_what_the_schema_says(
    resources: list[dict[str, Any]], version: str
) -> None:
    for resource in resources:
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", ["serving", "web"])
def test_containers_have_no_rights_and_limited_memory(
    resources: list[dict[str, Any]], name: str
) -> None:
    spec = pod(resources, name)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65534
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert "cpu" not in container["resources"]["limits"]


def test_the_model_server_gets_the_flags_that_compose_gives(
    resources: list[dict[str, Any]],
) -> None:
    (container,) = pod(resources, "serving")["containers"]
    assert set(server_flags()) <= set(container["args"])


def test_the_documented_patch_adds_flags_of_which_the_last_counts(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    (patch,) = re.findall(r"^```yaml\n(patches:\n.*?)^```$", manual, re.MULTILINE | re.DOTALL)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copytree(ROOT / "serving" / "config", tmp_path / "serving" / "config")
    local = "../deploy/kubernetes/overlays/local"
    (overlay / "kustomization.yaml").write_text(f"resources: [{local}]\n{patch}")
    (container,) = pod(render(overlay), "serving")["containers"]
    assert set(server_flags()) <= set(container["args"])
    assert container["args"][-2:] == ["--enable_batching", "--grpc_max_threads=200"]


def test_the_model_server_gets_the_environment_that_compose_gives(
    resources: list[dict[str, Any]],
) -> None:
    (container,) = pod(resources, "serving")["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    of_compose = shown_by_compose()["serving"]["environment"]
    # Without those that are passed on where they are set.
    by_compose = {name: value for name, value in of_compose.items() if value is not None}
    names = given.pop("US_BILLS_ALLOWED_HOSTS").split(",")
    assert names[0] == by_compose.pop("US_BILLS_ALLOWED_HOSTS")
    # A Service has four names; Prometheus asks by one of them, or by the pods' addresses.
    namespace = of_kind(resources, "Service")["serving"]["metadata"]["namespace"]
    ends = ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    assert names == [f"serving{end}" for end in ends]
    assert given == by_compose


def test_the_model_server_is_started_as_compose_starts_it(resources: list[dict[str, Any]]) -> None:
    (container,) = pod(resources, "serving")["containers"]
    assert container["command"] == COMPOSE["serving"]["entrypoint"]


def test_the_model_servers_probes_read_the_models_state(resources: list[dict[str, Any]]) -> None:
    (container,) = pod(resources, "serving")["containers"]
    _, *check = COMPOSE["serving"]["healthcheck"]["test"]
    assert container["startupProbe"]["exec"]["command"] == check
    assert container["readinessProbe"]["exec"]["command"] == check


def test_the_page_stays_up_without_a_model_server_but_does_not_start_without_one(
    resources: list[dict[str, Any]],
) -> None:
    (container,) = pod(resources, "web")["containers"]
    asked = {name: probe["httpGet"]["path"] for name, probe in container.items() if "Probe" in name}
    assert asked == {
        "startupProbe": "/readyz",
        "readinessProbe": "/livez",
        "livenessProbe": "/livez",
    }


def test_the_configuration_is_the_one_of_the_repository(resources: list[dict[str, Any]]) -> None:
    data = of_kind(resources, "ConfigMap")["us-bills-config"]["data"]
    assert set(data) == {"models.config", "monitoring.config", "available.sh", "start.sh"}
    for name, text in data.items():
        assert text == (ROOT / "serving" / "config" / name).read_text()


def test_every_mount_has_its_volume(resources: list[dict[str, Any]]) -> None:
    for name in ("serving", "web"):
        spec = pod(resources, name)
        mounted = {m["name"] for c in spec["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_photos_that_come_back_lie_on_a_volume_that_the_front_ends_may_write(
    tmp_path: Path,
) -> None:
    resources = render_with("models-volume\n  - ../../components/feedback", tmp_path)
    web = pod(resources, "web")
    [container] = web["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in web["volumes"]}
    mount = mounts[environment["US_BILLS_FEEDBACK"]]
    claim = volumes[mount["name"]]["persistentVolumeClaim"]["claimName"]
    modes = of_kind(resources, "PersistentVolumeClaim")[claim]["spec"]["accessModes"]
    assert modes == ["ReadWriteMany"]
    assert not mount.get("readOnly")
    assert web["securityContext"]["fsGroup"] == web["securityContext"]["runAsGroup"]


def test_the_front_end_reads_the_cards_of_the_versions_that_are_served(tmp_path: Path) -> None:
    resources = render_with("models-volume", tmp_path)
    [web] = pod(resources, "web")["containers"]
    environment = {each["name"]: each["value"] for each in web["env"]}
    [mount] = [
        m for m in web["volumeMounts"] if environment["US_BILLS_MODELS"].startswith(m["mountPath"])
    ]
    assert mount["readOnly"]
    [serving] = pod(resources, "serving")["containers"]
    assert mount["name"] in {each["name"] for each in serving["volumeMounts"]}


def test_only_the_front_end_reaches_the_models(resources: list[dict[str, Any]]) -> None:
    policies = of_kind(resources, "NetworkPolicy")
    assert policies["nothing-by-default"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    grpc = [
        rule["from"]
        for rule in policies["serving"]["spec"]["ingress"]
        if rule["ports"] == [{"port": "grpc"}]
    ]
    assert grpc == [[{"podSelector": {"matchLabels": {"app": "web"}}}]]


def test_services_and_policies_select_the_pods_of_their_tier(
    resources: list[dict[str, Any]],
) -> None:
    for name, deployment in of_kind(resources, "Deployment").items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        ports = {p["name"] for c in pod(resources, name)["containers"] for p in c["ports"]}
        service = of_kind(resources, "Service")[name]["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["ports"]} <= ports


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_pod_of_a_signed_site_starts_after_its_versions_are_verified(
    tmp_path: Path, version: str
) -> None:
    resources = render_with("models-volume\n  - ../../components/signed", tmp_path)
    for resource in resources:
        kubernetes_validate.validate(resource, version, strict=True)
    spec = pod(resources, "serving")
    (verify,) = spec["initContainers"]
    assert is_restricted(spec["securityContext"] | verify["securityContext"])
    options = verify_parser().parse_args(verify["args"])
    mounted = {mount["mountPath"] for mount in verify["volumeMounts"]}
    assert {"/config", str(options.models_root), "/keys"} == mounted
    # The file that the server reads comes first; the ConfigMap's is a new volume's.
    script = verify["command"][2]
    (serving,) = spec["containers"]
    flags = [flag for flag in serving["args"] if flag.startswith("--model_config_file=")]
    assert script.startswith(f"config={flags[-1].partition('=')[2]};")
    assert f"|| config={flags[0].partition('=')[2]};" in script
    for container in (verify, *spec["containers"]):
        given = {each["name"]: each["value"] for each in container["env"]}
        assert given["US_BILLS_VERIFY_KEY"] == "/keys/verify.pub"
        assert "verify-key" in {mount["name"] for mount in container["volumeMounts"]}
    assert {"name": "verify-key", "configMap": {"name": "us-bills-verify-key"}} in spec["volumes"]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_versions_from_a_bucket_are_pulled_before_they_are_verified_and_served(
    tmp_path: Path, version: str
) -> None:
    resources = render_with("signed\n  - ../../components/models-bucket", tmp_path)
    for resource in resources:
        kubernetes_validate.validate(resource, version, strict=True)
    spec = pod(resources, "serving")
    assert [each["name"] for each in spec["initContainers"]] == ["pull", "verify"]
    (pull, new) = (spec["initContainers"][0], spec["containers"][1])
    assert new["command"] == [*pull["command"], "30"]
    assert is_restricted(spec["securityContext"] | pull["securityContext"])
    script = of_kind(resources, "ConfigMap")["us-bills-pull"]["data"]["pull.sh"]
    assert script == (OVERLAYS.parent / "components" / "models-bucket" / "pull.sh").read_text()
    assert not of_kind(resources, "PersistentVolumeClaim")
    egress = of_kind(resources, "NetworkPolicy")["serving"]["spec"]["egress"]
    assert {"ports": [{"port": 443}]} in egress


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_with_mutual_tls_each_tier_gets_its_files(tmp_path: Path, version: str) -> None:
    resources = render_with("models-volume\n  - ../../components/mutual-tls", tmp_path)
    for resource in resources:
        kubernetes_validate.validate(resource, version, strict=True)
    (serving,) = pod(resources, "serving")["containers"]
    assert "--ssl_config_file=/tls/ssl.config" in serving["args"]
    given = environment(resources)
    assert given["US_BILLS_MODEL_SERVER"] == "grpcs://serving:8500"
    for name in ("US_BILLS_MODEL_SERVER_CA", "US_BILLS_CLIENT_CERT", "US_BILLS_CLIENT_KEY"):
        assert given[name].startswith("/tls/")
    for name in ("serving", "web"):
        spec = pod(resources, name)
        # Else the files of a secret are root's alone.
        assert spec["securityContext"]["fsGroup"] == 65534
        secrets = {
            volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume
        }
        assert secrets == {f"us-bills-{name}-tls"}
        assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in spec["containers"][0][
            "volumeMounts"
        ]


def test_production_keeps_a_pod_of_each_tier_through_disruptions() -> None:
    resources = render(OVERLAYS / "production")
    assert set(of_kind(resources, "PodDisruptionBudget")) == {"serving", "web", "rollout"}
    assert set(of_kind(resources, "HorizontalPodAutoscaler")) == {"serving", "web"}
    for scaler in of_kind(resources, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["minReplicas"] >= 2
        assert scaler["spec"]["scaleTargetRef"]["name"] == scaler["metadata"]["name"]


def test_production_lets_the_ingress_reach_the_solver_that_proves_the_host() -> None:
    policy = of_kind(render(OVERLAYS / "production"), "NetworkPolicy")["acme"]["spec"]
    assert policy["podSelector"] == {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"namespaceSelector": namespace("ingress-nginx")}]
    assert rule["ports"] == [{"port": 8089}]


def namespace(name: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def test_production_believes_the_one_proxy_that_reaches_its_front_ends() -> None:
    resources = render(OVERLAYS / "production")
    assert environment(resources)["US_BILLS_PROXIES"] == "1"
    (rule,) = of_kind(resources, "NetworkPolicy")["web"]["spec"]["ingress"]
    assert rule["from"]


def test_production_keeps_the_metrics_from_clients_of_the_ingress() -> None:
    resources = render(OVERLAYS / "production")
    (rule,) = of_kind(resources, "Ingress")["web"]["spec"]["rules"]
    named = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert named == {"/metrics": "nobody", "/": "web"}
    assert "selector" not in of_kind(resources, "Service")["nobody"]["spec"]


def environment(resources: list[dict[str, Any]]) -> dict[str, str]:
    """The front end's variables."""
    container, *_ = pod(resources, "web")["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_versions_get_onto_the_volume_that_the_model_servers_read() -> None:
    publisher = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "publisher.yaml").read_text())
    kubernetes_validate.validate(publisher, OLDEST, strict=True)
    spec = publisher["spec"]
    (container,) = spec["containers"]
    assert container["image"] in COMPOSE["serving"]["image"]
    assert container["volumeMounts"] == [{"name": "models", "mountPath": "/models"}]
    for resources in (render(OVERLAYS / "production"), render(KSERVE)):
        (claim,) = of_kind(resources, "PersistentVolumeClaim")
        assert spec["volumes"] == [
            {"name": "models", "persistentVolumeClaim": {"claimName": claim}}
        ]
    assert is_restricted(spec["securityContext"] | container["securityContext"])


def is_restricted(context: dict[str, Any]) -> bool:
    """Whether a namespace that enforces `restricted` would take such a container."""
    wanted = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return wanted.items() <= context.items()


def test_the_documented_command_puts_a_version_in_its_place_as_a_whole(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    into_kserve = manual.split("### KServe")[1]
    found = re.search(r"^\$ (tar --create .*\| kubectl .*\n.*)$", into_kserve, re.MULTILINE)
    assert found is not None
    # In the cluster's place: runs here what comes after `--`, /models being a folder of this test.
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.format(tmp_path / "volume"))
    kubectl.chmod(0o755)
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", found[1]],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    folder = tmp_path / "volume" / "releases" / "1"
    assert sorted(path.name for path in folder.iterdir()) == [".new", "1"]
    assert not list((folder / ".new").iterdir())
    shipped = ROOT / "models" / "us_bills" / "1" / "saved_model.pb"
    assert (folder / "1" / "saved_model.pb").read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_kserve_variant_is_what_the_schemas_say(
    beside_kserve: list[dict[str, Any]], version: str
) -> None:
    for resource in [*render(KSERVE), *beside_kserve]:
        if resource["kind"] == "InferenceService":
            resource = as_pod(resource)
        kubernetes_validate.validate(resource, version, strict=True)


def as_pod(service: dict[str, Any]) -> dict[str, Any]:
    """An InferenceService without KServe's own fields: predictor a pod, model a container.

    The names of those fields are those of `V1beta1PredictorSpec` and `V1beta1ModelSpec` in KServe
    0.21's Python package; any other is left, and refused unless Kubernetes knows it there.
    """
    predictor = dict(service["spec"]["predictor"])
    assert type(predictor.pop("canaryTrafficPercent")) is int
    assert 0 < predictor.pop("minReplicas") <= predictor.pop("maxReplicas")
    model = dict(predictor.pop("model"))
    assert set(model.pop("modelFormat")) == {"name"}
    own = {name: model.pop(name) for name in ("storageUri", "runtimeVersion")}
    assert all(isinstance(value, str) for value in own.values())
    container = {"name": "kserve-container", "image": "tensorflow/serving", **model}
    pod = {"metadata": service["metadata"], "spec": {"containers": [container], **predictor}}
    return {"apiVersion": "v1", "kind": "Pod", **pod}


def test_kserve_splits_the_traffic_of_the_server_that_compose_would_run() -> None:
    service = of_kind(render(KSERVE), "InferenceService")["us-bills"]
    predictor = service["spec"]["predictor"]
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert 0 <= predictor["canaryTrafficPercent"] <= 100
    assert predictor["model"]["modelFormat"] == {"name": "tensorflow"}
    assert (
        f"tensorflow/serving:{predictor['model']['runtimeVersion']}" in COMPOSE["serving"]["image"]
    )


def test_kserves_pods_are_taken_by_their_namespace_and_find_their_volume() -> None:
    resources = render(KSERVE)
    (name,) = of_kind(resources, "Namespace")
    assert {resource["metadata"].get("namespace", name) for resource in resources} == {name}
    model = of_kind(resources, "InferenceService")["us-bills"]["spec"]["predictor"]["model"]
    assert is_restricted(model["securityContext"])
    assert model["securityContext"]["readOnlyRootFilesystem"] is True
    (claim,) = of_kind(resources, "PersistentVolumeClaim")
    assert model["storageUri"].startswith(f"pvc://{claim}/releases/")


def test_beside_kserve_no_model_server_is_left_and_only_its_gateway_is_reached(
    beside_kserve: list[dict[str, Any]],
) -> None:
    assert "serving" not in {resource["metadata"]["name"] for resource in beside_kserve}
    gateway, names = of_kind(beside_kserve, "NetworkPolicy")["web"]["spec"]["egress"]
    assert gateway["ports"] == [{"port": 8081}]
    (peer,) = gateway["to"]
    assert peer["namespaceSelector"]["matchExpressions"][0]["values"] == [
        "istio-system",
        "kourier-system",
    ]
    assert names["ports"][0]["port"] == 53


def test_the_front_end_beside_kserve_is_answered_by_a_server_as_kserve_starts_it(
    beside_kserve: list[dict[str, Any]], tmp_path: Path
) -> None:
    variables = environment(beside_kserve)
    ((name, service),) = of_kind(render(KSERVE), "InferenceService").items()
    assert variables["US_BILLS_MODEL_SERVER"] == f"http://{name}-predictor.us-bills-kserve"
    release = tmp_path / "releases" / "1"
    release.mkdir(parents=True)
    (release / "1").symlink_to(ROOT / "models" / "us_bills" / "1")
    # KServe's runtime names the model after the service, and adds the service's own arguments.
    own = service["spec"]["predictor"]["model"]["args"]
    flags = [f"--model_name={name}", f"--model_base_path={release}", *own]
    with ModelServer(tmp_path / "server", flags, wait_for=[name]) as server:
        variables |= {"US_BILLS_MODEL_SERVER": server.rest_url, "US_BILLS_TIMEOUT": "60"}
        client = create_app(Settings.from_env(variables)).test_client()
        reply = client.post("/predict", data=PHOTO, content_type="image/jpeg")
    assert reply.status_code == 200, reply.text
    assert reply.get_json()["model"]["name"] == name
