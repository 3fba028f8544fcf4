"""Where artefacts are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import not_local, schema_rules
from .fields import STORAGE_URI


class StorageSpec(ApiModel):
    """Where datasets, checkpoints, models and reports are kept."""

    model_config = ConfigDict(json_schema_extra=schema_rules(not_local("uri", "s3://")))

    # An S3 key has at most 1024 bytes, and the names of artefacts behind the prefix take up to 400.
    uri: Annotated[str, Field(min_length=6, max_length=512, pattern=STORAGE_URI)] = Field(
        description="Prefix that all artefacts of the run are written under: s3://bucket/prefix, or file:///folder for "
        "`reflect run`."
    )
