"""The resource as a whole: names, group, metadata."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from .base import ApiModel
from .spec import ReflectionTrainingSpec
from .spec.fields import RUN_NAME
from .status import ReflectionTrainingStatus

GROUP = "reflection.training"
VERSION = "v1alpha1"
API_VERSION: Final = "reflection.training/v1alpha1"
KIND: Final = "ReflectionTraining"
PLURAL = "reflectiontrainings"
SINGULAR = "reflectiontraining"
SHORT_NAME = "rt"
CATEGORY = "ml"


class Metadata(ApiModel):
    """The part of metav1.ObjectMeta that decisions need; the rest is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=RUN_NAME)] = Field(
        description="Name of the run: lower-case letters, digits and dashes, starting with a letter; it becomes part of "
        "the names of Jobs and Services."
    )
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class ReflectionTraining(ApiModel):
    """A training run, declared."""

    api_version: Literal["reflection.training/v1alpha1"] = API_VERSION
    kind: Literal["ReflectionTraining"] = KIND
    metadata: Metadata
    spec: ReflectionTrainingSpec
    status: ReflectionTrainingStatus | None = None
