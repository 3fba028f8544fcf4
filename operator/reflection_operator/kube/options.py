"""How the operator is run: from variables (REFLECT_...) and flags, flags first."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from reflection_api.spec.fields import MAX_INT32

from ..settings import OperatorSettings
from .connection import own_namespace
from .lease import Times
from .logs import LogFormat

PROGRAM = "python -m reflection_operator"
_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Seconds = Annotated[float, Field(gt=0, le=MAX_INT32)]


class Options(OperatorSettings, BaseSettings):
    """The reflect-operator: carries out ReflectionTrainings of a cluster.

    Every option can be given as a variable, too: --log-format as REFLECT_LOG_FORMAT. `rbac` in place of options prints the
    permissions that the operator needs with them; see `rbac --help`.
    """

    model_config = SettingsConfigDict(
        # The resource's fields have other names outside, these have not.
        alias_generator=lambda name: name,
        env_prefix="REFLECT_",
        cli_prog_name=PROGRAM,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        frozen=True,
        extra="forbid",
    )

    kubeconfig: Path | None = Field(
        None, description="Kubeconfig of the cluster. Default: KUBECONFIG, else the pod's service account."
    )
    namespaces: Annotated[list[Annotated[str, Field(pattern=_DNS_LABEL)]], NoDecode] = Field(
        default_factory=list,
        description="Only these namespaces, separated by commas; Roles are enough then. Default: the whole cluster.",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="Runs that are looked at side by side."
    )
    resync_seconds: Seconds = Field(
        300, description="Everything is listed anew this often, in case that a watch has missed something."
    )
    watch_dead_seconds: Seconds = Field(
        180,
        description="A watch that is silent this long is dead: /healthz fails, so that the pod is restarted.",
    )
    leader_election: bool = Field(
        True, description="Wait for a Lease before acting, so that replicas take turns."
    )
    lease_namespace: Annotated[str, Field(pattern=_DNS_LABEL)] = Field(
        default_factory=own_namespace, description="Namespace of the Lease. Default: the pod's own."
    )
    lease_name: Annotated[str, Field(pattern=_DNS_LABEL)] = Field(
        "reflect-operator", description="Name of the Lease."
    )
    lease_duration_seconds: Seconds = Field(
        15, description="Others take over when it was not renewed this long."
    )
    lease_renew_deadline_seconds: Seconds = Field(
        10, description="The leader gives up after this time without renewal."
    )
    lease_retry_seconds: Seconds = Field(2, description="Time between two renewals.")
    identity: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        default_factory=lambda: f"{socket.gethostname()}_{os.getpid()}_{os.urandom(3).hex()}",
        description="Name of this replica in the Lease. Default: host name, process and a random number.",
    )
    health_host: str = Field("0.0.0.0", description="Address of /healthz, /readyz and /metrics.")  # noqa: S104
    health_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8080, description="Their port; 0 takes a free one."
    )
    progress_url: Annotated[str, Field(max_length=512, pattern=r"^(https://[^/?#@]+/?)?$")] = Field(
        "",
        description="Address at which pods reach this operator to report progress, https://host:port. Default: they do not.",
    )
    progress_host: str = Field("0.0.0.0", description="Address that reports are heard on.")  # noqa: S104
    progress_port: Annotated[int, Field(ge=1, le=65_535)] = Field(8443, description="Its port.")
    log_format: LogFormat = Field("text", description="Lines for people, or JSON.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is worth a line."
    )

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return value

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        times = self.lease_times
        if not times.duration > times.deadline > 2 * times.retry:
            raise ValueError(
                f"lease_duration_seconds ({times.duration:g}) must be more than lease_renew_deadline_seconds "
                f"({times.deadline:g}), and that more than twice lease_retry_seconds ({times.retry:g})"
            )
        return self

    @property
    def lease_times(self) -> Times:
        """The times of the leader election."""
        return Times(self.lease_duration_seconds, self.lease_renew_deadline_seconds, self.lease_retry_seconds)

    @property
    def places(self) -> tuple[str | None, ...]:
        """The namespaces to look at; None stands for all of them at once."""
        return tuple(self.namespaces) or (None,)
