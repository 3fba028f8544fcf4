"""From YAML text to checked resources."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from ..resource import API_VERSION, GROUP, KIND, ReflectionTraining
from .check import schema_findings, stored_form
from .documents import MAX_BYTES, Document, Unreadable, read_documents
from .here import local_findings
from .local import absolute_uris
from .problem import Finding, Problem, dotted, shown
from .prompts import template_findings
from .settings import BadSetting, Setting, apply_setting, parse_setting
from .unknown import nearest

_OWN_METADATA = ("name", "namespace", "uid", "labels", "annotations")


class Checked(NamedTuple):
    """What a text holds."""

    resources: list[ReflectionTraining]
    """Those without a problem, with the defaults of the CRD filled in."""
    problems: list[Problem]
    notes: list[str]
    """What was left out, and why."""


class _Judged(NamedTuple):
    resource: ReflectionTraining | None
    findings: list[Finding]


class InvalidResources(ValueError):
    """A file holds no usable ReflectionTraining; each problem is one line."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load_resources(
    source: FilePath | str, *, local: bool, settings: Sequence[str] = (), file: str | None = None
) -> list[ReflectionTraining]:
    """The ReflectionTrainings of a YAML file or text, at least one.

    Args:
        source: a readable file, or the text itself.
        local: allow `file://`, also relative to the file (`file://./model`), and look at the files that it names.
        settings: values that go before the file's, such as `spec.training.maxSteps=10`.
        file: the name of the file in messages. Default: its path.

    Raises:
        InvalidResources: something is wrong; nothing is returned then.
        BadSetting: a setting is malformed.
        OSError: the file cannot be read.
    """
    folder = source.parent if isinstance(source, FilePath) else None
    name = file or (str(source) if isinstance(source, FilePath) else "text")
    checked = check_text(read_source(source), name, local=local, settings=settings, folder=folder)
    if not checked.problems and not checked.resources:
        raise InvalidResources([Problem(name, None, "", f"holds no {KIND}; write one")])
    if checked.problems:
        raise InvalidResources(checked.problems)
    return checked.resources


def read_source(source: FilePath | str) -> bytes:
    """The bytes of a file or text, no more than one beyond what a resource may have."""
    if isinstance(source, str):
        return source.encode()
    with source.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def check_text(
    data: bytes,
    file: str,
    *,
    local: bool,
    settings: Sequence[str] = (),
    folder: FilePath | None = None,
) -> Checked:
    """Everything that is wrong in a YAML text.

    Args:
        data: the text in UTF-8.
        file: its name in messages.
        local: allow `file://`, also relative to the file (`file://./model`), and look at the files that it names.
        settings: values that go before the file's.
        folder: what relative URIs (`file://./...`) are relative to. None: they are refused.

    Raises:
        BadSetting: a setting is malformed.
    """
    parsed = [parse_setting(text) for text in settings]
    checked = Checked([], [], [])
    try:
        for found in read_documents(data, file):
            if isinstance(found, Problem):
                checked.problems.append(found)
            else:
                _check_document(found, file, parsed, folder, checked, local=local)
    except Unreadable as error:
        checked.problems.append(error.problem)
    checked.problems.sort(key=lambda problem: problem.line or 0)
    return checked


def _check_document(
    document: Document,
    file: str,
    settings: Sequence[Setting],
    folder: FilePath | None,
    checked: Checked,
    *,
    local: bool,
) -> None:
    stranger = _stranger(document, file)
    if isinstance(stranger, Problem):
        checked.problems.append(stranger)
        return
    if stranger is not None:
        checked.notes.append(stranger)
        return

    def judged(chosen: Sequence[Setting]) -> _Judged:
        return _judged(_with(document.value, chosen, folder), local=local)

    resource, findings = judged(settings)
    if resource is not None:
        checked.resources.append(resource)
    for finding in findings:
        problem = _placed(finding, document, file, settings)
        if problem.line is not None:
            # The line in the file is right about the field, but perhaps not about what made it wrong.
            problem = problem._replace(message=problem.message + _blamed(finding, settings, judged))
        checked.problems.append(problem)


def _with(value: dict[str, Any], settings: Sequence[Setting], folder: FilePath | None) -> dict[str, Any]:
    """A copy of the resource as written, with settings and absolute URIs."""
    changed = copy.deepcopy(value)
    for setting in settings:
        apply_setting(changed, setting)
    if folder is not None:
        absolute_uris(changed, folder)
    return changed


def _judged(value: dict[str, Any], *, local: bool) -> _Judged:
    """The resource, where nothing is wrong with it, and what is wrong."""
    findings = [*schema_findings(value, local=local), *template_findings(value)]
    if findings:
        return _Judged(None, findings)
    resource = _resource(value)
    findings = list(local_findings(resource)) if local else []
    return _Judged(None if findings else resource, findings)


def _blamed(
    finding: Finding, settings: Sequence[Setting], judged: Callable[[Sequence[Setting]], _Judged]
) -> str:
    """The settings without which the finding would not be there, in words; a rule may look at several fields."""
    blamed = []
    for left_out in settings:
        try:
            same = finding in judged([setting for setting in settings if setting is not left_out]).findings
        except BadSetting:  # one setting may need the other
            same = False
        if not same:
            blamed.append(f"--set {left_out.text}")
    return f" (with {', '.join(blamed)})" if blamed else ""


def _stranger(document: Document, file: str) -> Problem | str | None:
    """A note on a document of another kind, or what is wrong with one that is meant to be ours; None for ours."""
    value, line = document.value, document.line
    if not isinstance(value, dict):
        what = f"{shown(value)} is no resource; write apiVersion, kind, metadata and spec"
        return Problem(file, line, "", what)
    kind, version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        field = "apiVersion" if isinstance(kind, str) else "kind"
        return Problem(
            file, document.line_of((field,)), field, f"is required; for a training {API_VERSION} and {KIND}"
        )
    ours = version.startswith(f"{GROUP}/")
    if kind != KIND and (ours or nearest(kind, [KIND])):
        return Problem(
            file, document.line_of(("kind",)), "kind", f"{shown(kind)} is not known; did you mean {KIND}?"
        )
    if kind == KIND and version != API_VERSION:
        what = f"{shown(version)} is not known; use {API_VERSION}"
        return Problem(file, document.line_of(("apiVersion",)), "apiVersion", what)
    return None if kind == KIND else f"{file}:{line}: {kind} is not checked"


def _resource(value: dict[str, Any]) -> ReflectionTraining:
    stored = stored_form(value)
    # The rest is the API server's to write; in a file it is left over from another resource.
    metadata = {name: stored["metadata"][name] for name in _OWN_METADATA if name in stored["metadata"]}
    return ReflectionTraining.model_validate({**stored, "metadata": metadata})


def _placed(finding: Finding, document: Document, file: str, settings: Sequence[Setting]) -> Problem:
    field = dotted(finding.path)
    for setting in reversed(settings):
        if finding.path[: len(setting.path)] == setting.path:
            return Problem(f"--set {setting.text}", None, field, finding.message)
    return Problem(file, document.line_of(finding.path), field, finding.message)
