"""`reflect render`: what the operator would create, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from reflection_api.stages import ROUND_STAGES, RUN_STAGES, Stage

from .exit_codes import FAILED, WRONG_USE

if TYPE_CHECKING:
    from reflection_api.resource import ReflectionTraining

    from ..children.attempt import Child
    from ..settings import OperatorSettings

UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"
"""An API server gives the uid when it stores the resource."""
NOTE = f"""# To read, not to apply: a resource gets its uid from the API server; here it is {UNKNOWN_UID},
# and so are the eight characters of it in names and URIs.
"""


class Manifests(StrEnum):
    """Form of the objects."""

    YAML = "yaml"
    JSON = "json"


def render(
    file: Annotated[
        Path,
        typer.Argument(help="A YAML file.", metavar="FILE", exists=True, dir_okay=False, allow_dash=False),
    ],
    stages: Annotated[
        list[Stage] | None, typer.Option("--stage", help="Only this stage. May be repeated.")
    ] = None,
    round_number: Annotated[int, typer.Option("--round", min=1, help="Which round.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Set a field: spec.training.maxSteps=20. May be repeated.", metavar="PATH=VALUE"
        ),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Allow file://, as `reflect run` does.")] = False,
    output: Annotated[
        Manifests, typer.Option("--output", "-o", help="Form of the objects.")
    ] = Manifests.YAML,
    trainer_image: Annotated[str | None, typer.Option(help="The operator's trainer image.")] = None,
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None, typer.Option(help="The operator's pull policy.")
    ] = None,
    gpu_resource: Annotated[str | None, typer.Option(help="What the operator counts GPUs as.")] = None,
    training_grace_seconds: Annotated[
        int | None, typer.Option(help="What the operator gives a training to save its state.")
    ] = None,
) -> None:
    """Print the objects that the operator would create.

    For each stage of a round, at its first attempt: the ConfigMap with everything that the stage is told, defaults filled in,
    and the Job. Nothing is created.
    """
    from ..children.text import to_json, to_yaml

    operator = _operator_settings(
        trainer_image=trainer_image,
        image_pull_policy=image_pull_policy,
        gpu_resource=gpu_resource,
        training_grace_seconds=training_grace_seconds,
    )
    sections = [
        section
        for resource in _load(file, local=local, settings=settings or [])
        for section in _sections(resource, stages or list(RUN_STAGES), round_number, operator)
    ]
    if output is Manifests.JSON:
        text = to_json([child for _, children in sections for child in children])
    else:
        text = NOTE + "".join(f"\n# {heading}\n{to_yaml(children)}" for heading, children in sections)
    typer.echo(text, nl=False)


def _load(file: Path, *, local: bool, settings: list[str]) -> list[ReflectionTraining]:
    from reflection_api.validation import BadSetting, InvalidResources, load_resources

    try:
        return load_resources(file, local=local, settings=settings)
    except BadSetting as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from None
    except InvalidResources as error:
        message = str(error)
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
    typer.echo(message, err=True)
    raise typer.Exit(FAILED)


def _operator_settings(**given: Any) -> OperatorSettings:
    from pydantic import ValidationError

    from ..settings import OperatorSettings

    try:
        return OperatorSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).replace("_", "-")
        raise typer.BadParameter(problem["msg"], param_hint=f"--{option}") from error


def _sections(
    resource: ReflectionTraining, stages: list[Stage], round_number: int, settings: OperatorSettings
) -> Iterator[tuple[str, list[Child]]]:
    """The children of each stage with a line about them."""
    from ..children.build import build

    rounds = resource.spec.rounds
    if round_number > rounds:
        raise typer.BadParameter(
            f"{round_number} is more than the rounds of {resource.metadata.name} ({rounds})",
            param_hint="--round",
        )
    metadata = resource.metadata.model_copy(update={"uid": UNKNOWN_UID})
    resource = resource.model_copy(update={"metadata": metadata})
    for stage in Stage:
        if stage in stages:
            # A run ends with one report (and a deletion with one clean-up), whichever round is looked at.
            number = round_number if stage in ROUND_STAGES else rounds
            children = build(resource, number, stage, attempt=1, restarts=0, settings=settings)
            yield _heading(resource, stage, number, children[-1]), children


def _heading(resource: ReflectionTraining, stage: Stage, round_number: int, job: Child) -> str:
    run, spec = resource.metadata, job["spec"]
    pods = "1 pod" if spec["completions"] == 1 else f"{spec['completions']} pods"
    return (
        f"{run.namespace}/{run.name}: {stage.value}, round {round_number} of {resource.spec.rounds}: {pods}"
    )
