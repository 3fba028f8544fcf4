"""A cluster that is there already, as tests see it: REFLECT_TEST_KUBECONFIG names the kubeconfig of an administrator.

Not KUBECONFIG: no test may touch a cluster because kubectl happens to point to it. Tests play kubelet, so it is to be one
without nodes of its own, such as `make control-plane` keeps; they leave their namespaces, the CRD and one Node behind.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .access import Access
from .certificates import distinguished_name, write_key

VARIABLE = "REFLECT_TEST_KUBECONFIG"
_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_SIGNED_LIMIT_S = 60


def given_kubeconfig() -> Path | None:
    """The kubeconfig of the cluster to use, if there is one."""
    found = os.environ.get(VARIABLE, "")
    return Path(found).expanduser() if found else None


class GivenControlPlane(Access):
    """Somebody else's control plane."""

    def __init__(self, kubeconfig: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="reflect-given-"))
        config = yaml.safe_load(kubeconfig.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        self.server = cluster["server"].rstrip("/")
        self.port = urlsplit(self.server).port or 443
        self.ca = self._file(cluster, "certificate-authority", kubeconfig.parent)
        self.kubeconfig = self.write_kubeconfig("admin", self._user(user, kubeconfig))

    @property
    def audit_log(self) -> Path:
        """Not at hand."""
        pytest.skip(f"the audit log of the cluster in {VARIABLE} is not at hand")

    def server_certificate(self, name: str) -> tuple[Path, Path]:
        """Not to be had."""
        pytest.skip(f"the cluster in {VARIABLE} signs no certificate for the server {name}")

    def kubeconfig_for(self, user: str, *groups: str) -> Path:
        """A kubeconfig for a user with a certificate that the cluster signs."""
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(distinguished_name(user, list(groups)))
        pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        private, signed = self.folder / f"{user}.key", self.folder / f"{user}.crt"
        write_key(private, key)
        signed.write_bytes(self._signed(pem))
        return self.write_kubeconfig(user, {"client-certificate": str(signed), "client-key": str(private)})

    def stop_after(self, _: pytest.Session) -> None:
        """Leave it to others."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signed(self, pem: bytes) -> bytes:
        body = {
            "metadata": {"generateName": "reflect-tests-"},
            "spec": {
                "request": base64.b64encode(pem).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        }
        with self.client() as client:
            made = client.post(_REQUESTS, json=body).raise_for_status().json()
            path = f"{_REQUESTS}/{made['metadata']['name']}"
            condition = {"type": "Approved", "status": "True", "reason": "Tests", "message": "for a test"}
            made["status"] = {"conditions": [condition]}
            client.put(f"{path}/approval", json=made).raise_for_status()
            deadline = time.monotonic() + _SIGNED_LIMIT_S
            while time.monotonic() < deadline:
                status = client.get(path).raise_for_status().json()["status"]
                if "certificate" in status:
                    client.delete(path)
                    return base64.b64decode(status["certificate"])
                time.sleep(0.1)
        raise TimeoutError(f"{self.server} signs no certificates: is its controller manager there?")

    def _user(self, user: dict[str, Any], kubeconfig: Path) -> dict[str, str]:
        if "token" in user:
            return {"token": user["token"]}
        if not {"client-certificate", "client-certificate-data"} & user.keys():
            raise ValueError(
                f"{VARIABLE}: {kubeconfig}: the user has neither a token nor a certificate; give it one"
            )
        return {
            name: str(self._file(user, name, kubeconfig.parent))
            for name in ("client-certificate", "client-key")
        }

    def _file(self, section: dict[str, str], name: str, folder: Path) -> Path:
        """A file that a kubeconfig names or holds."""
        if name in section:
            return folder / section[name]
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(section[f"{name}-data"]))
        return path


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)
