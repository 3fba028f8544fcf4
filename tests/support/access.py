"""The way to an API server: kubeconfigs, and clients for plain requests."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import yaml


class Access:
    """What tests need to know of an API server."""

    folder: Path
    """Where kubeconfigs are written."""
    server: str
    ca: Path
    """Certificate of the authority that vouches for it."""
    kubeconfig: Path
    """An administrator's."""

    def kubeconfig_with_token(self, name: str, token: str, server: str = "") -> Path:
        """A kubeconfig for the holder of a token, for example a service account's; by way of another server, if given."""
        return self.write_kubeconfig(name, {"token": token}, server)

    def client(self, kubeconfig: Path | None = None) -> httpx.Client:
        """A client for plain requests."""
        config = yaml.safe_load((kubeconfig or self.kubeconfig).read_text())
        user = config["users"][0]["user"]
        context = self.trusting()
        if "client-key" in user:
            context.load_cert_chain(user["client-certificate"], user["client-key"])
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        return httpx.Client(base_url=self.server, verify=context, headers=headers, timeout=30)

    def trusting(self) -> ssl.SSLContext:
        """How to speak to its servers."""
        return ssl.create_default_context(cafile=str(self.ca))

    def write_kubeconfig(self, name: str, user: dict[str, str], server: str = "") -> Path:
        """A kubeconfig for somebody; by way of another server, if given."""
        cluster = {
            "server": server or self.server,
            "certificate-authority": str(self.ca),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
            "current-context": "tests",
        }
        path = self.folder / f"{name.replace(':', '-')}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path
