"""What the model is asked, and who judges the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from ..base import ApiModel
from ..rules import not_local, schema_rules
from .fields import MAX_INT32, PROMPTS_URI, Seed, TemplateText
from .verifier import VerifierSpec


class PromptsSpec(ApiModel):
    """A file of questions: one row per question."""

    model_config = ConfigDict(json_schema_extra=schema_rules(not_local("uri", "hf://, s3:// or pvc://")))

    uri: Annotated[str, Field(min_length=6, max_length=1024, pattern=PROMPTS_URI)] = Field(
        description="The prompts file: JSON lines (.jsonl) or Parquet (.parquet), by suffix; s3://bucket/key, "
        "hf://datasets/org/name/file, pvc://claim/file, or file:///file for `reflect run`."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_INT32)] | None = Field(
        None,
        description="Use at most this many rows: a seeded sample, not the head of the file. Default: all.",
    )
    seed: Seed = Field(0, description="Seed of the sample and of the held-out split.")


class TemplatesSpec(ApiModel):
    """The texts around the conversation, as sandboxed Jinja templates. `row` is the prompt row: {{ row.target }}."""

    system: TemplateText | None = Field(
        None, description="System message. Variables: question, row. Default: the verifier's own, or none."
    )
    reflection: TemplateText | None = Field(
        None,
        description="The request to reflect, after a wrong answer. Variables: question, answer, row. "
        "Default: the verifier's own.",
    )
    retry: TemplateText | None = Field(
        None,
        description="The question put again after the reflection. Variables: question, answer, reflection, row. "
        "Default: the question.",
    )


class FailuresSpec(ApiModel):
    """How the dataset of failures is made."""

    deduplicate: bool = Field(
        False,
        description="Keep equal failed answers to one question only once. Default: keep all, as sampled.",
    )


class TaskSpec(ApiModel):
    """What the model is asked, and who judges the answer."""

    prompts: PromptsSpec = Field(description="The questions.")
    verifier: VerifierSpec = Field(description="Who says whether an answer is right.")
    columns: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=32)
    ] = Field(
        default_factory=dict,
        description="Names of columns where the file's differ from the expected ones: expected name to the file's "
        "name, for example {target: answer}.",
    )
    failures: FailuresSpec = Field(
        default_factory=FailuresSpec, description="How the dataset of failures is made."
    )
    templates: TemplatesSpec = Field(
        default_factory=TemplatesSpec, description="The texts around the conversation (sandboxed Jinja)."
    )
