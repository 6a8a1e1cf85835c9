"""The Helm chart, rendered by Helm's own code and held to what Kubernetes and the recorder take."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from cryptography import x509

from recorder.config import Settings, load_settings
from recorder.pointers import secret

CHART = Path(__file__).resolve().parents[2] / "helm/spanstore"
FOREIGN = {"ServiceMonitor", "Certificate"}
"""Kinds that Kubernetes itself does not know."""

S3 = {
    "name": "main", "kind": "s3", "endpoint": "https://s3.example.org", "bucket": "footage",
    "secretName": "s3",
}  # fmt: skip
SEVERAL: dict[str, Any] = {
    "catalog": {"kind": "postgresql", "host": "db.example.org", "secretName": "db"},
    "stores": [S3],
    "audit": {"secretName": "audit"},
    "secrets": {"secretName": "passwords"},
    "tls": {"secretName": "tls"},
    "recorder": {"replicas": 3},
}
SIGNS = {
    "secretName": "evidence", "certificateKey": "tls.crt", "keyKey": "tls.key",
    "onvifCertificateKey": "onvif.crt", "onvifKeyKey": "onvif.key",
    "timestampUrl": "https://tsa.example.org", "timestampCaKey": "tsa.pem",
}  # fmt: skip
TABLE: dict[str, dict[str, Any]] = {
    "as it is": {},
    "one recorder, S3": {"tls": {"secretName": "tls"}, "stores": [S3]},
    "several": SEVERAL,
    "authorities of one's own": SEVERAL
    | {
        "catalog": SEVERAL["catalog"] | {"caKey": "ca.crt", "user": "rec/ order"},
        "stores": [S3 | {"caKey": "ca.crt", "region": "eu"}],
    },
    "a volume that all mount": SEVERAL
    | {"stores": [{"name": "nas", "kind": "directory", "claim": "nas"}, S3 | {"readonly": True}]},
    "ingress": SEVERAL
    | {
        "ingress": {
            "enabled": True, "host": "post1.example.org", "className": "nginx",
            "secretName": "seen", "proxies": ["10.42.0.0/16"],
        },
        "url": "https://post1.example.org",
    },
    "below a parent": SEVERAL
    | {"parent": {"url": "https://centre.example.org", "user": "post1", "secretName": "parent"}},
    "evidence": SEVERAL | {"evidence": SIGNS},
    "a stamp alone": {
        "tls": {"secretName": "tls"},
        "evidence": {
            "secretName": "evidence", "timestampUrl": "https://tsa.example.org",
            "timestampCaKey": "tsa.pem",
        },
    },
    "watched": SEVERAL
    | {
        "serviceMonitor": {"enabled": True, "tokenSecretName": "token", "labels": {"a": "b"}},
        "tls": {"issuer": {"name": "ca", "kind": "ClusterIssuer"}, "secretName": ""},
    },
    "shut": SEVERAL
    | {
        "networkPolicy": {"from": [], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
        "nodeSelector": {"disk": "large"}, "tolerations": [{"operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}], "podAnnotations": {"a": "b"},
        "spread": {"whenUnsatisfiable": "DoNotSchedule"},
        "recorder": {"replicas": 2, "volume": {"storageClass": "fast", "size": "1Ti"}},
        "settings": {"api": {"hosts": ["other.example.org"]}, "grace": "48h"},
    },
}  # fmt: skip


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(values, name="rec", namespace="video")
    found = [yaml.safe_load_all(text) for name, text in texts.items() if name.endswith(".yaml")]
    return [one for documents in found for one in documents if one]


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def settings_text(documents: list[dict[str, Any]]) -> str:
    (found,) = of_kind(documents, "ConfigMap").values()
    text: str = found["data"]["recorder.yaml"]
    return text


def mounted(pod: dict[str, Any]) -> Iterator[str]:
    for one in pod["containers"][0]["volumeMounts"]:
        yield one["mountPath"]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a rendered recorder.yaml as a pod does: its secrets lie where it mounts them."""

    def loaded(documents: list[dict[str, Any]], workload: dict[str, Any]) -> Settings:
        pod = workload["spec"]["template"]["spec"]
        places = list(mounted(pod))
        text = settings_text(documents)
        for path in re.findall(r"/(?:etc/recorder|srv)/[-./\w]+", text):
            assert any(path == one or path.startswith(one + "/") for one in places), path
            (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            if path.startswith("/etc"):
                (tmp_path / path[1:]).write_text("s3cret")
        file = tmp_path / "recorder.yaml"
        file.write_text(text.replace("/etc/recorder/", f"{tmp_path}/etc/recorder/"))
        name = workload["metadata"]["name"] + "-0"
        for one in pod["containers"][0]["env"]:
            if one["name"].startswith("RECORDER_") and one["name"] != "RECORDER_CONFIG":
                monkeypatch.setenv(one["name"], one["value"].replace("$(POD_NAME)", name))
        args = pod["containers"][0]["args"]
        return load_settings(file, roles=tuple(args[args.index("--roles") + 1].split(",")))

    return loaded


@pytest.mark.parametrize("values", TABLE.values(), ids=TABLE.keys())
def test_what_the_chart_renders_is_taken_by_kubernetes_and_by_the_recorder(
    values: dict[str, Any], load: Any
) -> None:
    documents = render(values)
    for one in documents:
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, "1.33", strict=True)
    names = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(set(names)) == len(names)
    for name, workload in of_kind(documents, "StatefulSet").items():
        settings = load(documents, workload)
        assert (settings.node, settings.data) == (f"{name}-0", Path("/var/lib/recorder"))
        assert settings.node_url == f"https://{name}-0.rec-spanstore-nodes.video.svc:8600"
        assert "api" in settings.roles  # else nothing answers probes
        assert settings.api.certificate is not None
        assert settings.shared == ("catalog" in values)


@pytest.mark.parametrize("values", TABLE.values(), ids=TABLE.keys())
def test_pods_run_as_nobody_special_and_write_nowhere_but_on_volumes(
    values: dict[str, Any],
) -> None:
    for workload in of_kind(render(values), "StatefulSet").values():
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert pod["automountServiceAccountToken"] is False
        given = {one["name"] for one in pod["volumes"]} | {"data"}
        assert {one["name"] for one in container["volumeMounts"]} == given
        modes = [one["secret"]["defaultMode"] for one in pod["volumes"] if "secret" in one]
        assert set(modes) == {0o440}  # a key that everybody may read is refused
        probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}
        assert probes["liveness"]["path"] == "/healthz"
        assert probes["readiness"]["path"] == "/readyz"
        assert {one["scheme"] for one in probes.values()} == {"HTTPS"}


@pytest.mark.parametrize("values", TABLE.values(), ids=TABLE.keys())
def test_each_service_and_budget_finds_pods(values: dict[str, Any]) -> None:
    documents = render(values)
    pods = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(documents, "StatefulSet").values()
    ]
    wanted = [one["spec"]["selector"] for one in of_kind(documents, "Service").values()]
    for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        found = of_kind(documents, kind).values()
        wanted += [one["spec"][field]["matchLabels"] for one in found]
        assert found
    for selector in wanted:
        assert any(selector.items() <= labels.items() for labels in pods), selector


def test_each_kind_of_pods_has_its_roles() -> None:
    def roles(values: dict[str, Any]) -> dict[str, str]:
        return {
            name: one["spec"]["template"]["spec"]["containers"][0]["args"][2]
            for name, one in of_kind(render(values), "StatefulSet").items()
        }

    assert roles(TABLE["one recorder, S3"]) == {
        "rec-spanstore-recorder": "capture,ship,api,janitor"
    }
    assert roles(SEVERAL) == {
        "rec-spanstore-recorder": "capture,ship,api",
        "rec-spanstore-api": "api",
        "rec-spanstore-janitor": "janitor,api",
    }


def test_no_secret_stands_in_a_config_map(load: Any) -> None:
    documents = render(
        TABLE["authorities of one's own"] | {"parent": TABLE["below a parent"]["parent"]}
    )
    text = settings_text(documents)
    assert "s3cret" not in text
    document = yaml.safe_load(text)
    assert document["catalog"].startswith(
        "postgresql://rec%2F%20order:{file:/etc/recorder/catalog/"
    )
    assert document["parent"].startswith(
        "https://post1:{file:/etc/recorder/parent/password}@centre"
    )
    for store in document["stores"]:
        assert {store["access_key"][:19], store["secret_key"][:19]} == {"file:/etc/recorder/"}
    assert document["audit"]["key"] == "/etc/recorder/audit/audit.key"
    assert document["secrets"]["key"] == "file:/etc/recorder/secrets/secrets.key"
    settings = load(documents, of_kind(documents, "StatefulSet")["rec-spanstore-api"])
    assert ":s3cret@" in settings.catalog
    assert ":s3cret@" in settings.parent


def test_what_signs_evidence_is_pointed_to_in_every_kind_of_pods(load: Any) -> None:
    documents = render(TABLE["evidence"])
    assert yaml.safe_load(settings_text(documents))["evidence"] == {
        "certificate": "/etc/recorder/evidence/tls.crt",
        "key": "file:/etc/recorder/evidence/tls.key",
        "onvif_certificate": "/etc/recorder/evidence/onvif.crt",
        "onvif_key": "file:/etc/recorder/evidence/onvif.key",
        "timestamp_url": "https://tsa.example.org",
        "timestamp_ca": "/etc/recorder/evidence/tsa.pem",
    }
    for workload in of_kind(documents, "StatefulSet").values():
        part = load(documents, workload).evidence
        assert secret(part.key, "evidence.key") == "s3cret"
        (volume,) = (
            one for one in workload["spec"]["template"]["spec"]["volumes"]
            if one["name"] == "evidence"
        )  # fmt: skip
        assert volume["secret"] == {"secretName": "evidence", "defaultMode": 0o440}
    assert "evidence" not in yaml.safe_load(settings_text(render(SEVERAL)))


def test_the_certificate_that_the_chart_makes_names_pods_and_services() -> None:
    secret = of_kind(render({}), "Secret")["rec-spanstore-tls"]
    (made,) = x509.load_pem_x509_certificates(base64.b64decode(secret["data"]["tls.crt"]))
    (signer,) = x509.load_pem_x509_certificates(base64.b64decode(secret["data"]["ca.crt"]))
    made.verify_directly_issued_by(signer)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = names.get_values_for_type(x509.DNSName)
    assert {"rec-spanstore.video.svc", "*.rec-spanstore-nodes.video.svc", "localhost"} <= {*found}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "several on SQLite": (
        {"recorder": {"replicas": 2}},
        "recorder.replicas is 2, and a SQLite catalog is one recorder's alone: set catalog.kind to "
        "postgresql, or recorder.replicas to 1",
    ),
    "no server": ({"catalog": {"kind": "postgresql"}}, "name the server in catalog.host"),
    "no store": (SEVERAL | {"stores": []}, "need a store that all of them reach"),
    "no key": (SEVERAL | {"audit": {}}, "name the Secret with audit.key in audit.secretName"),
    "no key of secrets": (SEVERAL | {"secrets": {}}, "name the Secret with secrets.key"),
    "S3 without keys": ({"stores": [S3 | {"secretName": ""}]}, "store main is S3: give endpoint"),
    "folder": ({"stores": [{"name": "a", "kind": "directory"}]}, "name the PersistentVolumeClaim"),
    "ingress": ({"ingress": {"enabled": True}}, "ingress.enabled takes ingress.host"),
    "monitor": ({"serviceMonitor": {"enabled": True}}, "takes serviceMonitor.tokenSecretName"),
    "a secret": (
        {"settings": {"catalog": "postgresql://a:b@c/d"}}, "settings.catalog is written"
    ),
    "no TLS": ({"settings": {"api": {"listen": "0.0.0.0:80"}}}, "settings.api.listen is written"),
    "half a pair": (
        {"evidence": SIGNS | {"keyKey": ""}}, "evidence.certificateKey takes evidence.keyKey"
    ),
    "a stamp nobody vouches for": (
        {"evidence": SIGNS | {"timestampCaKey": ""}}, "takes evidence.timestampCaKey"
    ),
    "evidence from nowhere": (
        {"evidence": SIGNS | {"secretName": ""}}, "evidence takes evidence.secretName"
    ),
    "evidence of nothing": (
        {"evidence": {"secretName": "evidence"}}, "say what of it signs"
    ),
    "evidence twice": (
        {"evidence": SIGNS, "settings": {"evidence": {"timestamp_url": ""}}},
        "settings.evidence is written by the chart",
    ),
    "a slip": ({"recorder": {"replica": 2}}, "replica"),
    "no name": ({"site": "post 1"}, "site"),
    "a password": ({"parent": {"url": "https://a:b@centre.example.org"}}, "url"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_values_that_cannot_work_are_refused_in_a_sentence(
    values: dict[str, Any], said: str
) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        render(values)


def test_helm_has_nothing_against_the_chart() -> None:
    for values in ({}, SEVERAL):
        found = helm.lint(CHART, values)
        assert [one for one in found["messages"] if one["severity"] > 1] == []
        assert not found["errors"]
