"""The verifier that a task names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reflection_api.reasons import Reason
from reflection_api.verifiers import InvalidVerifier

from ..errors import BadConfig
from .registry import make_verifier

if TYPE_CHECKING:
    from reflection_api.spec import TaskSpec

    from .verifier import Verifier


def task_verifier(task: TaskSpec) -> Verifier:
    """The verifier of `spec.task.verifier`.

    Raises:
        BadConfig: an option is unknown or has a value that it cannot take (reason InvalidSpec).
    """
    builtin = task.verifier.builtin
    try:
        return make_verifier(builtin.name, builtin.options)
    except InvalidVerifier as error:
        raise BadConfig(f"spec.task.verifier.builtin.{error}", reason=Reason.INVALID_SPEC) from error
