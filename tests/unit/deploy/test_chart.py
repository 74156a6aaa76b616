"""The chart renders by Helm, to valid manifests that keep what deploy/README.md promises."""

from __future__ import annotations

import copy
import os
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.unit.deploy import charts
from tests.unit.deploy.charts import LEAST, MOST, OPEN, Manifest, Values

from codesieve.server.__main__ import main as serve

if charts.missing() is not None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{charts.missing()} (CI has to have it)", pytrace=False)
    pytest.skip(str(charts.missing()), allow_module_level=True)

SETS = [pytest.param(LEAST, id="least"), pytest.param(MOST, id="most"), pytest.param(OPEN, id="open")]


def one(manifests: list[Manifest], kind: str, name: str = "") -> Manifest:
    (found,) = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"].endswith(name)]
    return found


def changed(values: Values, path: str, value: object) -> Values:
    values = copy.deepcopy(values)
    place: Any = values
    *folders, last = path.split(".")
    for folder in folders:
        place = place.setdefault(folder, {})
    place[last] = value
    return values


@pytest.mark.parametrize("values", SETS)
def test_every_manifest_is_valid(values: Values) -> None:
    manifests = charts.render(values)
    for manifest in manifests:
        charts.validate(manifest)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


def test_validation_sees_what_is_wrong() -> None:
    ray = one(charts.render(LEAST), "RayCluster")
    ray["spec"]["workerGroupSpecs"][0]["template"]["spec"]["hostUser"] = False
    with pytest.raises(Exception, match="hostUser"):
        charts.validate(ray)
    del ray["spec"]["workerGroupSpecs"][0]["template"]["spec"]["hostUser"]
    ray["spec"]["workerGroupSpecs"][0]["maxReplicas"] = "10"
    with pytest.raises(AssertionError, match="maxReplicas is '10'"):
        charts.validate(ray)


def test_helm_lints_the_chart() -> None:
    import helm_python

    for values in (LEAST, MOST, OPEN):
        found = helm_python.lint(str(charts.CHART), values, strict=True)
        assert found["errors"] == []
        assert [one for one in found["messages"] if "icon is recommended" not in one["error"]] == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("store.existingSecret", "", "store.existingSecret: name a secret"),
        ("access.tls.existingSecret", "", "access.tls.existingSecret: name a TLS secret"),
        ("access.tokens.existingSecret", "", "access.tokens.existingSecret: name a secret"),
        ("frontend.replicas", 11, "sandbox.maxReplicas: it must be at least"),
        ("sandbox.maxReplica", 3, "additional properties 'maxReplica' not allowed"),
        ("sandbox.isolation", "vm", "/sandbox/isolation"),
        ("sandbox.seccompProfile", {"type": "Localhost"}, "localhostProfile"),
        ("frontend.options", {"store": "memory"}, "frontend.options: store is not to be set here"),
        ("gpu", {"enabled": True, "gpus": 0}, "/gpu/gpus"),
    ],
)
def test_values_that_cannot_be_are_refused_in_words(path: str, value: object, message: str) -> None:
    import helm_python

    with pytest.raises(helm_python.HelmError) as raised:
        charts.render(changed(LEAST, path, value))
    assert message in str(raised.value)


@pytest.mark.parametrize("values", SETS)
def test_the_front_end_is_given_options_that_serve_has(values: Values) -> None:
    config = one(charts.render(values), "ConfigMap", "-frontend")["data"]["codesieve.toml"]
    options = tomllib.loads(config)
    known = {flag.lstrip("-") for parameter in serve.params for flag in parameter.opts}
    assert options.keys() <= known
    assert options["dedicated-nodes"] is True
    assert ("tokens" in options) == ("tls-cert" in options) == (not options.get("insecure", False))
    assert "postgresql" not in config


@pytest.mark.parametrize("values", SETS)
def test_rays_own_autoscaler_reads_the_groups_as_they_are_meant(values: Values) -> None:
    """Ray's code turns KubeRay's object into node types: where workers go depends on what it finds there."""
    from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

    ray = one(charts.render(values), "RayCluster")
    ray["metadata"]["namespace"] = "ml"
    nodes = _derive_autoscaling_config_from_ray_cr(ray)["available_node_types"]
    head = nodes.pop("headgroup")
    assert head["resources"]["CPU"] == 0
    sandbox = nodes.pop("sandbox")
    assert sandbox["resources"]["codesieve_sandbox"] == 1
    assert "GPU" not in sandbox["resources"]
    assert sandbox["max_workers"] == 10
    if values is MOST:
        gpu = nodes.pop("gpu")
        assert gpu["resources"]["GPU"] == 2
        assert "codesieve_sandbox" not in gpu["resources"]
    assert nodes == {}


def policies_of(manifests: list[Manifest], component: str) -> Iterator[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": "codesieve", "app.kubernetes.io/instance": "codesieve"}
    pod = labels | {"app.kubernetes.io/component": component}
    for manifest in manifests:
        if manifest["kind"] == "NetworkPolicy":
            wanted = manifest["spec"]["podSelector"]["matchLabels"]
            if wanted.items() <= pod.items():
                yield manifest["spec"]


@pytest.mark.parametrize("values", [LEAST, MOST])
def test_sandbox_pods_reach_nothing_but_ray_and_names(values: Values) -> None:
    manifests = charts.render(values)
    policies = list(policies_of(manifests, "sandbox"))
    egress = [rule for policy in policies for rule in policy.get("egress", [])]
    assert all("Egress" in policy["policyTypes"] and "Ingress" in policy["policyTypes"] for policy in policies)
    release = {"app.kubernetes.io/name": "codesieve", "app.kubernetes.io/instance": "codesieve"}
    names = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    assert [rule for rule in egress if rule.get("ports") != names] == [
        {"to": [{"podSelector": {"matchLabels": release}}]}
    ]
    callers = [rule["ports"] for policy in policies for rule in policy.get("ingress", []) if "ports" in rule]
    assert callers == [[{"port": 8080, "protocol": "TCP"}]]  # Prometheus
    assert any(policies_of(manifests, "front-end"))


def test_sandbox_pods_have_what_cells_need_and_no_more() -> None:
    groups = one(charts.render(LEAST), "RayCluster")["spec"]["workerGroupSpecs"]
    pod = groups[0]["template"]["spec"]
    assert pod["hostUsers"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["procMount"] == "Unmasked"
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["SETUID", "SETGID"]}
    assert context["readOnlyRootFilesystem"] is True
    assert "privileged" not in context
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


@pytest.mark.parametrize("values", [LEAST, MOST])
def test_all_but_sandbox_pods_are_restricted(values: Values) -> None:
    manifests = charts.render(values)
    templates = [one(manifests, "Deployment")["spec"]["template"]]
    ray = one(manifests, "RayCluster")
    templates += [
        template
        for template in charts.pod_templates(ray)
        if template["metadata"]["labels"]["app.kubernetes.io/component"] != "sandbox"
    ]
    for template in templates:
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in template["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }


def test_budgets_and_services_select_pods_that_are_there() -> None:
    manifests = charts.render(MOST)
    deployment = one(manifests, "Deployment")["spec"]["template"]
    pods = [deployment["metadata"]["labels"]]
    pods += [template["metadata"]["labels"] for template in charts.pod_templates(one(manifests, "RayCluster"))]
    selectors = [
        selector.get("matchLabels", selector)
        for manifest in manifests
        if manifest["kind"] in ("PodDisruptionBudget", "Service", "PodMonitor")
        for selector in [manifest["spec"]["selector"]]
    ]
    assert len(selectors) == 7
    for selector in selectors:
        assert [pod for pod in pods if selector.items() <= pod.items()], selector


def test_no_secret_is_written_and_ray_gets_no_store() -> None:
    manifests = charts.render(MOST)
    assert not [manifest for manifest in manifests if manifest["kind"] == "Secret"]
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "env -u CODESIEVE_STORE ray start" in container["args"][0]
    secrets = {env["name"]: env["valueFrom"]["secretKeyRef"]["name"] for env in container["env"] if "valueFrom" in env}
    assert secrets == {"RAY_AUTH_TOKEN": "ray", "CODESIEVE_STORE": "store", "OPENAI_API_KEY": "models"}


def test_rules_and_dashboards_are_those_of_deploy_monitoring() -> None:
    manifests = charts.render(changed(LEAST, "monitoring", {"enabled": True}))
    monitoring = charts.ROOT / "deploy/monitoring"
    rules = one(manifests, "PrometheusRule")["spec"]["groups"]
    assert rules == yaml.safe_load((monitoring / "rules.yml").read_text())["groups"]
    dashboards = {path.name: path.read_text() for path in (monitoring / "grafana/dashboards").glob("*.json")}
    found: dict[str, str] = {}
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap" and "grafana_dashboard" in manifest["metadata"]["labels"]:
            found |= manifest["data"]
    assert found == dashboards
    assert dashboards
