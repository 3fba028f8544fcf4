"""Which API server, and as whom: from a kubeconfig, or from the service account of the pod."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import kopf
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoCluster(Exception):
    """There is no API server to talk to; a sentence for the person at the terminal."""


async def load(kubeconfig: Path | None) -> Configuration:
    """The configuration of a kubeconfig; without one, of the pod that this runs in."""
    configuration = Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=configuration
            )
        else:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        hint = "set KUBECONFIG or --kubeconfig, or run in a pod with a service account"
        raise NoCluster(
            f"no API server: {kubeconfig or 'in-cluster configuration'}: {error}; {hint}"
        ) from error
    return configuration


def kubeconfig_path(given: Path | None) -> Path | None:
    """The kubeconfig to use: what was given, else the first file of KUBECONFIG, else none."""
    if given:
        return given
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named) if named else None


def own_namespace() -> str:
    """The namespace that this pod runs in; `default` outside a cluster."""
    try:
        return _NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


async def _anew_where_it_expired(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A page that has expired ends kopf's watch for good; after an answer that breaks off it lists anew."""
    response = await handler(request)
    if response.status == HTTPStatus.GONE and request.url.query.get("watch") != "true":
        response.close()
        raise aiohttp.ClientPayloadError(f"a page of {request.url.path} has expired")
    return response


def watching_session(info: kopf.ConnectionInfo, trace: aiohttp.TraceConfig) -> kopf.AiohttpSession:
    """A connection for kopf that can be listened to."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trace_configs=[trace],
        middlewares=[_anew_where_it_expired],
    )
    return kopf.AiohttpSession(
        server=info.server,
        aiohttp_session=session,
        default_namespace=info.default_namespace,
    )


def connection_info(configuration: Configuration, token: Any) -> kopf.ConnectionInfo:
    """The same configuration in kopf's words."""
    scheme, _, value = str(token or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme.capitalize() or None,
        token=value or None,
        proxy_url=configuration.proxy,
    )
