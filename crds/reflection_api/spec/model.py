"""Which model is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import Rule, not_local, schema_rules
from .fields import MODEL_URI, REVISION, SecretName

_RULES = schema_rules(
    not_local("uri", "hf://, s3:// or pvc://"),
    Rule(
        rule="!has(self.revision) || self.uri.startsWith('hf://')",
        message="is a revision, which only hf:// models have; remove it",
        field_path=".revision",
    ),
)


class AnyModelSpec(ApiModel):
    """A model, and whether to trust its code."""

    model_config = ConfigDict(json_schema_extra=_RULES)

    uri: Annotated[str, Field(min_length=6, max_length=1024, pattern=MODEL_URI)] = Field(
        description="Where the model is: hf://org/name, s3://bucket/prefix, pvc://claim/path, or file:///folder for "
        "`reflect run`. A folder or prefix holds the Hugging Face files (config.json, weights, tokenizer)."
    )
    revision: Annotated[str, Field(min_length=1, max_length=255, pattern=REVISION)] | None = Field(
        None, description="Branch, tag or commit of an hf:// model. Default: the repository's main branch."
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the model. Only for repositories you trust."
    )


class ModelSpec(AnyModelSpec):
    """The model that answers, reflects and is trained."""

    credentials_secret: SecretName | None = Field(
        None, description="Name of a Secret with the key HF_TOKEN, for gated or private hf:// repositories."
    )
