"""Who says whether an answer is right."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from ..base import ApiModel
from ..rules import Rule, schema_rules
from ..verifiers import BuiltinName
from .fields import ENDPOINT, KubernetesObject, SecretName

_Word = Annotated[str, Field(max_length=4096)]


class BuiltinVerifierSpec(ApiModel):
    """A verifier that ships with the trainer image."""

    name: BuiltinName = Field(description="Which built-in verifier judges the answers.")
    options: Annotated[dict[str, Any], WithJsonSchema({"type": "object", "properties": {}})] = Field(
        default_factory=dict, description="Options of the verifier; one that it does not know is refused."
    )
    """Typed in the CRD by the types in verifiers.OPTIONS, and in the trainer by the verifier's own."""


_THIS_MACHINE = "^http://(localhost|127[.]0[.]0[.]1)([:/]|$)"
"""Nobody else reads what goes to it: for `reflect run` beside the service."""


class HttpVerifierSpec(ApiModel):
    """A service of your own: POST /v1/verify and GET /healthz below its address."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="!has(self.caSecret) || self.url.startsWith('https://')",
                message="has a certificate authority, which an http:// address has no use for: remove it, or use https://",
                field_path=".caSecret",
            ),
            Rule(
                rule="!has(self.tokenSecret) || self.url.startsWith('https://') || "
                f"self.url.matches('{_THIS_MACHINE}')",
                message="would be readable by others on its way to an http:// address: use https:// (caSecret names an "
                "authority of your own), or remove it",
                field_path=".tokenSecret",
            ),
        )
    )

    url: Annotated[str, Field(min_length=8, max_length=512, pattern=ENDPOINT)] = Field(
        description="Address of the service: /v1/verify is put behind it. Redirects are not followed."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="Seconds that the service may take for a batch of at most 64 answers."
    )
    token_secret: SecretName | None = Field(
        None,
        description="Name of a Secret with the key token, sent as bearer token; a replaced one is taken over while pods run. "
        "`reflect run` takes REFLECT_VERIFIER_TOKEN of your own environment.",
    )
    ca_secret: SecretName | None = Field(
        None,
        description="Name of a Secret with the key ca.crt: certificates (PEM) that the service's is signed by. Default: the "
        "public authorities. `reflect run` takes the file that REFLECT_VERIFIER_CA of your own environment names.",
    )


class ContainerVerifierSpec(ApiModel):
    """A service of your own as a container beside each pod that judges: verify, training and evaluation."""

    image: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="Image of the service. It runs as user 1000 with a read-only file system and a /tmp of its own. "
        "`reflect run` starts no containers: start it yourself and name its address in REFLECT_VERIFIER_URL."
    )
    command: Annotated[list[_Word], Field(max_length=64)] = Field(
        default_factory=list, description="In place of the image's entry point."
    )
    args: Annotated[list[_Word], Field(max_length=64)] = Field(
        default_factory=list, description="In place of the image's arguments."
    )
    env: Annotated[list[KubernetesObject], Field(max_length=128)] = Field(
        default_factory=list, description="Environment variables of the service; PORT is added."
    )
    port: Annotated[int, Field(ge=1024, le=65_535)] = Field(
        8080,
        description="Port that it listens on, on all addresses of the pod: the kubelet asks for GET /healthz there before "
        "the stage starts.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="Seconds that the service may take for a batch of at most 64 answers."
    )
    resources: KubernetesObject | None = Field(None, description="Requests and limits of the service.")


class AuditSpec(ApiModel):
    """How a verifier is put to the test before anything is learnt from its verdicts; one that fails ends the run."""

    sample: Annotated[int, Field(ge=0, le=10_000)] = Field(
        200,
        description="Answers that are judged twice, and canaries: answers that are wrong whatever the question. 0: no audit.",
    )
    max_flake_rate: Annotated[float, Field(ge=0, le=1)] = Field(
        0, description="Largest share of the sample that may be right once and wrong once."
    )
    max_canary_accepted: Annotated[int, Field(ge=0, le=10_000)] = Field(
        0, description="Canaries that may be accepted."
    )


class VerifierSpec(ApiModel):
    """Who says whether an answer is right: exactly one of these."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            Rule(
                rule="(has(self.builtin) ? 1 : 0) + (has(self.container) ? 1 : 0) + (has(self.http) ? 1 : 0) == 1",
                message="needs to be the only one of builtin, container and http, and one of them must be there",
                field_path=".builtin",
            ),
        )
    )

    builtin: BuiltinVerifierSpec | None = Field(
        None, description="A verifier that ships with the trainer image."
    )
    container: ContainerVerifierSpec | None = Field(
        None, description="A service of your own, run beside the stages that judge."
    )
    http: HttpVerifierSpec | None = Field(
        None, description="A service of your own that runs already: POST /v1/verify."
    )

    audit: AuditSpec = Field(
        default_factory=AuditSpec,
        description="How the verifier is put to the test before anything is learnt from its verdicts.",
    )

    @property
    def name(self) -> str:
        """The name of the built-in verifier, or the kind of the others."""
        return self.builtin.name if self.builtin else "container" if self.container else "http"

    @property
    def words(self) -> str:
        """The verifier for people: a name, an image or an address."""
        return self.http.url if self.http else self.container.image if self.container else self.name
