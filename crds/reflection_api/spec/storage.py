"""Where artefacts are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import Rule, not_local, schema_rules
from .fields import ENDPOINT, REGION, STORAGE_URI, SecretName


class StorageSpec(ApiModel):
    """Where datasets, checkpoints, models and reports are kept, and how S3 is reached: for s3:// models and prompts, too."""

    model_config = ConfigDict(
        json_schema_extra=schema_rules(
            not_local("uri", "s3://"),
            Rule(
                rule="!has(self.caSecret) || !has(self.endpoint) || self.endpoint.startsWith('https://')",
                message="has a certificate authority, which an http:// endpoint has no use for: remove it, or use https://",
                field_path=".caSecret",
            ),
        )
    )

    # An S3 key has at most 1024 bytes, and the names of artefacts behind the prefix take up to 400.
    uri: Annotated[str, Field(min_length=6, max_length=512, pattern=STORAGE_URI)] = Field(
        description="Prefix that all artefacts of the run are written under: s3://bucket/prefix, or file:///folder for "
        "`reflect run`."
    )
    endpoint: Annotated[str, Field(min_length=8, max_length=512, pattern=ENDPOINT)] | None = Field(
        None,
        description="Address of an S3 service other than Amazon's, for example https://minio.storage:9000. Default: Amazon's "
        "own for the region.",
    )
    region: Annotated[str, Field(min_length=1, max_length=64, pattern=REGION)] | None = Field(
        None,
        description="Region of the bucket. Default: the environment's (AWS_REGION), else us-east-1.",
    )
    credentials_secret: SecretName | None = Field(
        None,
        description="Name of a Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary ones, "
        "AWS_SESSION_TOKEN; replaced values are taken over while pods run. Default: what the pods' service account is given "
        "(workload identity). `reflect run` takes the credentials of your own environment.",
    )
    ca_secret: SecretName | None = Field(
        None,
        description="Name of a Secret with the key ca.crt: certificates (PEM) that the endpoint's is signed by. Default: the "
        "public authorities. `reflect run` takes AWS_CA_BUNDLE of your own environment.",
    )
    path_style: bool | None = Field(
        None,
        description="Put the bucket in the path (endpoint/bucket/key) and not in the host name (bucket.endpoint/key). "
        "Default: true with an endpoint, else false.",
    )
