"""The Kubernetes files, rendered as `kubectl apply -k` does and held against the schemas."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support.servers import ROOT

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
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


@pytest.fixture(scope="module", params=["local", "production", "production, models in an image"])
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What an overlay comes to."""
    name, _, image = request.param.partition(", ")
    if not image:
        return render(OVERLAYS / name)
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "deploy", copy / "deploy")
    shutil.copytree(ROOT / "serving" / "config", copy / "serving" / "config")
    file = copy / OVERLAYS.relative_to(ROOT) / name / "kustomization.yaml"
    text = file.read_text().replace(
        "- ../../components/models-volume", "- ../../components/models-image"
    )
    file.write_text(text)
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
    assert set(COMPOSE["serving"]["command"]) <= set(container["args"])


def test_the_model_servers_probes_read_the_models_state(resources: list[dict[str, Any]]) -> None:
    (container,) = pod(resources, "serving")["containers"]
    _, *check = COMPOSE["serving"]["healthcheck"]["test"]
    assert container["startupProbe"]["exec"]["command"] == check
    assert container["readinessProbe"]["exec"]["command"] == check


def test_the_configuration_is_the_one_of_the_repository(resources: list[dict[str, Any]]) -> None:
    data = of_kind(resources, "ConfigMap")["us-bills-config"]["data"]
    assert set(data) == {"models.config", "monitoring.config", "available.sh"}
    for name, text in data.items():
        assert text == (ROOT / "serving" / "config" / name).read_text()


def test_every_mount_has_its_volume(resources: list[dict[str, Any]]) -> None:
    for name in ("serving", "web"):
        spec = pod(resources, name)
        mounted = {m["name"] for c in spec["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}


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


def test_production_keeps_a_pod_of_each_tier_through_disruptions() -> None:
    resources = render(OVERLAYS / "production")
    for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler"):
        assert set(of_kind(resources, kind)) == {"serving", "web"}
    for scaler in of_kind(resources, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["minReplicas"] >= 2
        assert scaler["spec"]["scaleTargetRef"]["name"] == scaler["metadata"]["name"]


def test_kserve_splits_the_traffic_of_the_version_that_compose_would_run() -> None:
    """Its schema is no part of Kubernetes', so this checks the few fields that matter."""
    file = ROOT / "deploy" / "kserve" / "inferenceservice.yaml"
    service = yaml.safe_load(file.read_text())
    predictor = service["spec"]["predictor"]
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert 0 <= predictor["canaryTrafficPercent"] <= 100
    assert predictor["model"]["modelFormat"] == {"name": "tensorflow"}
    assert (
        f"tensorflow/serving:{predictor['model']['runtimeVersion']}" in COMPOSE["serving"]["image"]
    )
