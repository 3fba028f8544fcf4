"""How a service is reached, and where the parts of that stand: in a resource, or on a command line."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from reflection_api.contract import (
    VERIFIER_CA_VARIABLE,
    VERIFIER_TOKEN_FILE_VARIABLE,
    VERIFIER_TOKEN_VARIABLE,
)
from reflection_api.reasons import Reason

from ...errors import BadConfig

_ON_THE_COMMAND_LINE = {
    "url": "the address",
    "tokenSecret": VERIFIER_TOKEN_VARIABLE,
    "caSecret": VERIFIER_CA_VARIABLE,
}


@dataclass(frozen=True)
class Access:
    """How a service is reached."""

    url: str
    seconds: float = 60.0
    """For one request."""
    token: bool = False
    """Whether a bearer token is sent: the environment says which."""
    authority: bool = False
    """Whether the certificates of the environment are trusted in place of the public ones."""
    field: str = "spec.task.verifier.http"
    """The verifier's place in the resource; empty: on the command line."""
    beside: bool = False
    """Whether it runs beside this process: then no proxy is between, and the resource holds no address."""

    @classmethod
    def of_environment(cls, url: str) -> Access:
        """As somebody at a terminal reaches it: with the token and the certificates of the environment, if any."""
        return cls(
            url,
            token=bool(os.environ.get(VERIFIER_TOKEN_VARIABLE)),
            authority=bool(os.environ.get(VERIFIER_CA_VARIABLE)),
            field="",
        )

    def place(self, name: str) -> str:
        """A part of the access in messages: a field, or what stands for it."""
        if not self.field:
            return _ON_THE_COMMAND_LINE[name]
        return self.field if self.beside else f"{self.field}.{name}"

    def headers(self) -> dict[str, str]:
        """What is sent beside the request itself. The token is read each time, since its file may be replaced.

        Raises:
            BadConfig: there is no token where one is wanted.
        """
        return {"authorization": f"Bearer {self._read_token()}"} if self.token else {}

    def trust(self) -> ssl.SSLContext:
        """Whose certificates are trusted.

        Raises:
            BadConfig: the address cannot be one, or the file with certificates is wrong.
        """
        try:
            port_is_right = urlsplit(self.url).port != 0
        except ValueError:
            port_is_right = False
        if not port_is_right or not self.url.startswith(("http://", "https://")):
            raise misconfigured(f"{self.place('url')}: {self.url}: write http://host:port or https://host")
        if self.authority:
            return self._own_authority()
        if self.url.startswith("http://"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody's: none is looked at
        return httpx.create_ssl_context()

    def _read_token(self) -> str:
        file = os.environ.get(VERIFIER_TOKEN_FILE_VARIABLE)
        token = Path(file).read_text().strip() if file and Path(file).is_file() else ""
        token = token or os.environ.get(VERIFIER_TOKEN_VARIABLE, "").strip()
        if token.isascii() and token.isprintable() and token:
            return token
        problem = "has characters that no header may have" if token else "is nowhere"
        raise misconfigured(
            f"{self.place('tokenSecret')}: the token {problem}; put it into the Secret's key token, or for `reflect run` into "
            f"{VERIFIER_TOKEN_VARIABLE}"
        )

    def _own_authority(self) -> ssl.SSLContext:
        file = os.environ.get(VERIFIER_CA_VARIABLE, "")
        try:
            return ssl.create_default_context(cafile=file or os.devnull)
        except OSError as error:
            unreadable = None if isinstance(error, ssl.SSLError) else error.strerror
            raise misconfigured(
                f"{self.place('caSecret')}: {file or VERIFIER_CA_VARIABLE}: "
                f"{unreadable or 'no certificates in PEM format'}; put certificates into the Secret's key ca.crt, or for "
                f"`reflect run` name a file with them in {VERIFIER_CA_VARIABLE}"
            ) from error


def misconfigured(words: str) -> BadConfig:
    """The failure that a wrong address, token or certificate is."""
    return BadConfig(words, reason=Reason.INVALID_SPEC)
