"""What would keep a resource from being run on this machine, and can be known before anything starts."""

from __future__ import annotations

from collections.abc import Iterator

from ..resource import ReflectionTraining
from ..spec import OUR_MANAGER
from .local import local_path
from .problem import Finding, shown
from .prompts import prompts_findings


def local_findings(resource: ReflectionTraining) -> Iterator[Finding]:
    """A resource that `reflect run` is told to leave alone, and files that are not there or do not fit."""
    yield from _left_alone(resource)
    yield from _model(resource.spec.model.uri, "model")
    third = resource.spec.evaluation.compare_model
    if third is not None:
        yield from _model(third.uri, "evaluation", "compareModel")
    yield from _definitions(resource)
    yield from prompts_findings(resource)


def _left_alone(resource: ReflectionTraining) -> Iterator[Finding]:
    """On a cluster somebody else takes such a resource up, or resumes it; here nobody would."""
    manager = resource.spec.managed_by
    if manager not in (None, OUR_MANAGER):
        words = f"{shown(manager)} leaves the resource to another controller, and there is none here; remove the field"
        yield Finding(("spec", "managedBy"), words)
    if resource.spec.suspend:
        words = "true holds the run, and nothing would be done here; remove the field, then run the same command again"
        yield Finding(("spec", "suspend"), words)


def _model(uri: str, *field: str) -> Iterator[Finding]:
    folder, path = local_path(uri), ("spec", *field, "uri")
    if folder is None:
        return
    if not folder.is_dir():
        yield Finding(path, f"there is no folder {folder}; correct the path")
    elif not (folder / "config.json").is_file():
        words = f"there is no config.json in {folder}; give a folder with a model in Hugging Face format"
        yield Finding(path, words)


def _definitions(resource: ReflectionTraining) -> Iterator[Finding]:
    regression = resource.spec.evaluation.regression
    folder = local_path(regression.definitions.uri) if regression and regression.definitions else None
    if folder is not None and not folder.is_dir():
        path = ("spec", "evaluation", "regression", "definitions", "uri")
        yield Finding(path, f"there is no folder {folder}; correct the path")
