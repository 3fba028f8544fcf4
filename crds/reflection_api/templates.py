"""The texts around the conversation: the templates' defaults, and how they are checked and rendered.

One place for the stages and for `reflect validate`, so that what the check accepts is what a stage can render.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Template, meta
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from .contract import TemplatesSettings
from .spec import TemplatesSpec
from .template_sandbox import BoundedEnvironment, render_bounded

FIELD = "spec.task.templates"
VARIABLES: dict[str, tuple[str, ...]] = {
    "system": ("question", "row"),
    "reflection": ("question", "answer", "row"),
    "retry": ("question", "answer", "reflection", "row"),
}
"""What each template may speak of; `row` is the prompt row, its columns are `row.<column>`."""


class Texts(NamedTuple):
    """The templates of a verifier where the author gives none."""

    reflection: str
    retry: str = "{{ question }}"
    system: str | None = None


_PROBLEM_SOLVING = Texts(
    reflection="You tried solving the problem and got the wrong answer. Reflect on what went wrong and write a short "
    "explanation that will help you do better next time."
)
_TOOL_CALLING = Texts(
    reflection="You tried performing the task, but failed in generating the correct tool call. Reflect on what went wrong and "
    "write a short explanation that will help you do better next time."
)
DEFAULTS: dict[str, Texts] = {
    "code": _PROBLEM_SOLVING,
    "container": _PROBLEM_SOLVING,
    "countdown": _PROBLEM_SOLVING,
    "exact": _PROBLEM_SOLVING,
    "function_call": _TOOL_CALLING,
    "http": _PROBLEM_SOLVING,
    "json_schema": _PROBLEM_SOLVING,
    "math": _PROBLEM_SOLVING,
    "reasoning_gym": _PROBLEM_SOLVING,
    "regex": _PROBLEM_SOLVING,
}
"""By `VerifierSpec.name`."""


class TemplateProblem(ValueError):
    """A template cannot be used."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(f"{field}: {message}; {remedy}")
        self.field = field
        self.message = message
        self.remedy = remedy


def resolve_templates(templates: TemplatesSpec, verifier: str) -> TemplatesSettings:
    """The templates with the verifier's own where the author gave none."""
    defaults = DEFAULTS[verifier]
    return TemplatesSettings(
        system=defaults.system if templates.system is None else templates.system,
        reflection=defaults.reflection if templates.reflection is None else templates.reflection,
        retry=defaults.retry if templates.retry is None else templates.retry,
    )


def check_template(name: str, text: str) -> None:
    """Check the syntax and the variables of the template `name` (a key of `VARIABLES`), without rendering it.

    Raises:
        TemplateProblem: it cannot be rendered with any row.
    """
    _compiled_for(text, VARIABLES[name], f"{FIELD}.{name}")


def render(text: str, variables: Mapping[str, Any], *, field: str) -> str:
    """Render a template; `field` is its place in the resource, for messages. Time and memory are bounded.

    Raises:
        TemplateProblem: the template is wrong, uses a variable or column that is not there, or asks for too much.
    """
    template = _compiled_for(text, tuple(variables), field)
    try:
        return render_bounded(lambda: template.generate(variables))
    except TemplateError as error:
        raise TemplateProblem(
            field, f"cannot be rendered: {_words(error)}", "correct the template"
        ) from error
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise TemplateProblem(field, f"cannot be rendered: {error}", "correct the template") from error


def _compiled_for(text: str, variables: Iterable[str], field: str) -> Template:
    try:
        template, used = _compiled(text)
    except TemplateSyntaxError as error:
        raise TemplateProblem(
            field, f"line {error.lineno}: {_words(error)}", "correct the template"
        ) from error
    except TemplateError as error:
        raise TemplateProblem(field, _words(error), "correct the template") from error
    except RecursionError as error:
        raise TemplateProblem(field, "expressions are nested too deeply", "simplify the template") from error
    for name in sorted(used.difference(variables)):
        raise TemplateProblem(field, f'unknown variable "{name}"', _instead(name, tuple(variables)))
    return template


@lru_cache(maxsize=64)
def _compiled(text: str) -> tuple[Template, frozenset[str]]:
    """The template and the variables that it uses. A run renders the same few templates for every row."""
    environment = _environment()
    tree = environment.parse_bounded(text)
    used = frozenset(meta.find_undeclared_variables(tree)) - environment.globals.keys()
    return environment.from_string(tree), used


@lru_cache(maxsize=1)
def _environment() -> BoundedEnvironment:
    return BoundedEnvironment()


def _words(error: TemplateError) -> str:
    return (error.message or type(error).__name__).rstrip(".")


def _instead(name: str, variables: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, variables, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(variables)}; columns of the prompts file are row.<column>, for example row.{name}"
