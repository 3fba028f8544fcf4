"""Settings of the operator: what the administrator of a cluster decides for all runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from reflection_api.base import ApiModel

ImagePullPolicy = Literal["Always", "IfNotPresent", "Never"]


class OperatorSettings(ApiModel):
    """What the pods of every run have in common."""

    trainer_image: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        "reflect-trainer:0.1.0", description="Image of the stages, unless spec.pods names another."
    )
    image_pull_policy: ImagePullPolicy = Field("IfNotPresent", description="When nodes pull it.")
    gpu_resource: Annotated[str, Field(min_length=1, max_length=317)] = Field(
        "nvidia.com/gpu", description="Extended resource that one GPU counts as, for example amd.com/gpu."
    )
    training_grace_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        600, description="Seconds that a training pod has to save its state after it is told to stop."
    )
