"""The authority's certificate and key: in a Secret of the operator's namespace, so that all replicas have the same."""

from __future__ import annotations

import base64
import logging
from binascii import Error as NoBase64
from datetime import datetime
from typing import Any

from ..kube.api import Api, Obj
from ..kube.errors import ApiError
from ..kube.kinds import AUTHORITY
from .certificates import AUTHORITY_SPARE, NoPair, Pair, new_authority, stored_authority

_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_log = logging.getLogger(__name__)


async def authority(api: Api, namespace: str, now: datetime) -> Pair:
    """The one that is kept; a new one where there is none, where it ends soon, or where somebody has spoilt it.

    Raises:
        ApiError: it can be neither read nor written.
    """
    try:
        secret = await api.get(AUTHORITY, namespace, AUTHORITY.only)
    except ApiError as error:
        if not error.not_found:
            raise
        return await _first(api, namespace, now)
    try:
        found = _pair_in(secret)
    except NoPair as problem:
        _log.warning("Secret %s/%s: %s; it gets new content", namespace, AUTHORITY.only, problem)
    else:
        if found.ends - now > AUTHORITY_SPARE:
            return found
    pair = new_authority(now)
    metadata = {"name": AUTHORITY.only, "resourceVersion": secret["metadata"]["resourceVersion"]}
    # A Secret's type never changes.
    body = _secret(pair) | {"metadata": metadata, "type": secret["type"]}
    return _pair_in(await api.update(AUTHORITY, namespace, AUTHORITY.only, body))


async def _first(api: Api, namespace: str, now: datetime) -> Pair:
    try:
        return _pair_in(await api.create(AUTHORITY, namespace, _secret(new_authority(now))))
    except ApiError as error:
        if not error.already_exists:
            raise
    return _pair_in(await api.get(AUTHORITY, namespace, AUTHORITY.only))


def _secret(pair: Pair) -> Obj:
    data = {_CERTIFICATE: pair.certificate, _KEY: pair.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": AUTHORITY.only},
        "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
    }


def _pair_in(secret: Obj) -> Pair:
    data: dict[str, Any] = secret.get("data") or {}
    try:
        certificate, key = (base64.b64decode(data[name]) for name in (_CERTIFICATE, _KEY))
    except (KeyError, NoBase64) as error:
        raise NoPair(f"no {_CERTIFICATE} and {_KEY} in it") from error
    return stored_authority(certificate, key)
