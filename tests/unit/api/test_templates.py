"""Templates render conversations, and nothing else: no way out of the sandbox, no way to eat the machine."""

from __future__ import annotations

import threading
import time
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.spec import TemplatesSpec
from reflection_api.template_sandbox import MAX_ITERATIONS, MAX_TEXT
from reflection_api.templates import (
    DEFAULTS,
    VARIABLES,
    TemplateProblem,
    check_template,
    render,
    resolve_templates,
)
from reflection_api.verifiers import BuiltinName

VALUES: dict[str, Any] = {
    "question": "make 6 from 2 3",
    "answer": "2 + 3",
    "row": {"target": 6, "nums": [2, 3], "items": "a column", "note": None},
}


def problem(text: str, values: dict[str, Any] = VALUES) -> TemplateProblem:
    with pytest.raises(TemplateProblem) as caught:
        render(text, values, field="spec.task.templates.retry")
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wrong reflect", "wrong reflect"),
        ("retry {{ question }}", "retry make 6 from 2 3"),
        ("{{ row.target }} {{ row['target'] }}", "6 6"),
        ("{{ row.items }}", "a column"),
        ("{{ row.nums | join(', ') }}", "2, 3"),
        (
            "{% for n in row.nums %}{{ loop.index }}:{{ n }}{% if not loop.last %} {% endif %}{% endfor %}",
            "1:2 2:3",
        ),
        ("{% set total = row.nums | sum %}{{ total + 1 }}", "6"),
        ("{% if row.hint is defined %}{{ row.hint }}{% else %}none{% endif %}", "none"),
        ("{{ row.hint | default('none') }}", "none"),
        ("{{ answer ~ ' is not ' ~ row.target }}", "2 + 3 is not 6"),
        ("{{ question.upper().split()[0] }}", "MAKE"),
        ("{{ row | tojson }}", '{"items": "a column", "note": null, "nums": [2, 3], "target": 6}'),
        ("{{ question[:4] }}{{ 2 ** 3 * 2 % 5 }}", "make1"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% with x = 1 %}{{ x }}{% endwith %}", "1"),
        ("a\n", "a"),
    ],
)
def test_what_templates_are_for(text: str, expected: str) -> None:
    assert render(text, VALUES, field="f") == expected


@given(st.text(), st.text())
def test_texts_go_in_as_they_are(question: str, answer: str) -> None:
    """What a model or a file says is data, whatever it looks like: never a template, never HTML."""
    assert render("{{ question }}|{{ answer }}", {"question": question, "answer": answer}, field="f") == (
        f"{question}|{answer}"
    )


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("{{ qestion }}", 'unknown variable "qestion"', "did you mean question?"),
        (
            "{{ target }}",
            'unknown variable "target"',
            "known are question, answer, row; columns of the prompts file are row.<column>, for example row.target",
        ),
        (
            "{% if false %}{{ later }}{% endif %}",
            'unknown variable "later"',
            "known are question, answer, row; ",
        ),
        (
            "{{ row.goal }}",
            "cannot be rendered: there is no 'goal' here, only target, nums, items, note",
            "correct the template",
        ),
        ("{{ row.nums[2] }}", "cannot be rendered: list object has no element 2", "correct the template"),
        (
            "{{ question",
            "line 1: unexpected end of template, expected 'end of print statement'",
            "correct the template",
        ),
        ("a\nb {% iff %}", "line 2: Encountered unknown tag 'iff'", "correct the template"),
        ("{{ question | shout }}", "line 1: No filter named 'shout'", "correct the template"),
        ("{{ 1 / 0 }}", "cannot be rendered: division by zero", "correct the template"),
        ("{{ 1 + 'a' }}", "cannot be rendered: unsupported operand", "correct the template"),
        (
            "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
            "expressions are nested too deeply",
            "simplify the template",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_mistakes_are_named(text: str, message: str, remedy: str) -> None:
    found = problem(text)
    assert found.field == "spec.task.templates.retry"
    assert found.message.startswith(message)
    assert found.remedy.startswith(remedy)
    assert str(found) == f"{found.field}: {found.message}; {found.remedy}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ question.__init__.__globals__ }}",
        "{{ row.__class__ }}",
        "{{ range.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ [].append(1) }}",
        "{{ row.update({}) }}",
        "{{ question.format(question) }}",
        "{{ question.format_map(row) }}",
        "{{ question.encode() }}",
        "{{ question.ljust(9) }}",
        "{{ question | attr('__class__') }}",
        "{{ '%s' | format(row) }}",
        "{{ '%999d' % 1 }}",
        "{{ lipsum() }}",
        "{{ cycler }}",
        "{{ namespace(a=1) }}",
        "{{ loop.cycle(1) }}",
        "{% include 'secrets' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set x %}{{ question }}{% endset %}",
        "{% filter upper %}a{% endfilter %}",
        "{% for n in row.nums recursive %}{{ loop(row.nums) }}{% endfor %}",
        "{% do x %}",
    ],
)
def test_no_way_out(text: str) -> None:
    problem(text)


DOUBLED = 40
GREEDY = {
    "repeat a text": "{{ 'a' * 10 ** 9 }}",
    "repeat a list": "{{ [1] * 10 ** 9 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "power of floats": "{{ 9.5 ** 9999 }}",
    "long range": "{{ range(10 ** 9) | list }}",
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "silent loops": "{% for a in range(200) %}{% for b in range(200) if false %}{% endfor %}{% endfor %}",
    "double by ~": "{% set s = 'aaaa' %}" + "{% set s = s ~ s %}" * DOUBLED + "{{ s }}",
    "double by +": "{% set s = 'aaaa' %}" + "{% set s = s + s %}" * DOUBLED + "{{ s }}",
    "double lists": "{% set s = [1] %}" + "{% set s = s + s %}" * DOUBLED + "{{ s }}",
    "nest lists": "{% set s = [1] %}" + "{% set s = [s, s] %}" * DOUBLED + "{{ s }}",
    "nest lists to length": "{% set s = [1] %}"
    + "{% set s = [s, s] %}" * DOUBLED
    + "{{ s | string | length }}",
    "nest maps": "{% set s = {} %}" + "{% set s = {1: s, 2: s} %}" * DOUBLED + "{{ s | tojson }}",
    "double by replace": "{% set s = 'aaaa' %}"
    + "{% set s = s | replace('a', 'aa') %}" * DOUBLED
    + "{{ s }}",
    "double by join": "{% set s = 'aaaa' %}" + "{% set s = [s, s] | join %}" * DOUBLED + "{{ s }}",
    "double by separator": "{% set s = 'aaaa' %}" + "{% set s = [1, 2, 3] | join(s) %}" * DOUBLED + "{{ s }}",
    "big numbers": "{% set n = 10 ** 16 %}" + "{% set n = n * n %}" * DOUBLED + "{{ n }}",
    "look again and again": "{% set s = [1] %}"
    + "{% set s = [s, s] %}" * 20
    + "{% set x = s | string %}" * 700,
    "long output": "{% for a in range(9000) %}{{ answer }}{{ answer }}{% endfor %}",
}


@pytest.mark.parametrize("text", GREEDY.values(), ids=GREEDY)
def test_no_way_to_eat_the_machine(text: str) -> None:
    started = time.monotonic()
    found = problem(text, VALUES | {"answer": "x" * 1000})
    assert "cannot be rendered" in found.message
    assert time.monotonic() - started < 60, "bounded work takes seconds at most"


def test_the_bounds_leave_room_for_long_conversations() -> None:
    long = "word " * 200_000
    assert len(
        render("{{ question }}{{ answer }}", {"question": long, "answer": long}, field="f")
    ) == 2 * len(long)
    assert render("{% for i in range(5000) %}{{ i % 2 }}{% endfor %}", {}, field="f") == "01" * 2500


def test_the_bounds_are_exact() -> None:
    assert len(render("{{ question }}", {"question": "a" * (MAX_TEXT - 1)}, field="f")) == MAX_TEXT - 1
    assert "grows beyond" in problem("{{ question }}", {"question": "a" * (MAX_TEXT + 1)}).message
    half = MAX_ITERATIONS // 2
    twice = f"{{% for i in range({half}) %}}{{% endfor %}}" * 2
    assert render(twice, {}, field="f") == ""
    assert "iterations" in problem(twice + "{% for i in [1] %}{% endfor %}").message


def test_each_rendering_has_bounds_of_its_own() -> None:
    text = f"{{% for i in range({MAX_ITERATIONS}) %}}{{% endfor %}}done"
    assert [render(text, {}, field="f") for _ in range(3)] == ["done"] * 3


def test_threads_do_not_share_bounds() -> None:
    text = f"{{% for i in range({MAX_ITERATIONS - 1}) %}}{{% endfor %}}done"
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(render(text, {}, field="f"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["done"] * 4


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}%#|().[]'\"~*+- abrowniestfl0123\n", max_size=40))
def test_any_text_renders_or_is_explained(text: str) -> None:
    outcome: Any
    try:
        outcome = render(text, VALUES, field="f")
    except TemplateProblem as found:
        outcome = found
    assert isinstance(outcome, str) or (outcome.message and outcome.remedy)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_template_may_speak_of_what_it_is_given(name: str) -> None:
    check_template(name, " ".join(f"{{{{ {variable} }}}}" for variable in VARIABLES[name]))
    with pytest.raises(TemplateProblem, match=f"spec.task.templates.{name}: unknown variable"):
        check_template(name, "{{ future }}")


def test_the_reflection_is_known_to_the_retry_only() -> None:
    check_template("retry", "{{ reflection }}")
    for name in ("system", "reflection"):
        with pytest.raises(TemplateProblem):
            check_template(name, "{{ reflection }}")


def test_every_verifier_has_defaults_that_render() -> None:
    assert set(DEFAULTS) == {*get_args(BuiltinName), "container", "http"}
    for verifier in DEFAULTS:
        texts = resolve_templates(TemplatesSpec(), verifier)
        assert texts.system is None
        assert "Reflect on what went wrong" in render(texts.reflection, VALUES, field="f")
        assert render(texts.retry, {**VALUES, "reflection": "r"}, field="f") == VALUES["question"]


def test_the_author_goes_before_the_defaults() -> None:
    texts = resolve_templates(TemplatesSpec(system="be brief", retry="again"), "countdown")
    assert (texts.system, texts.retry) == ("be brief", "again")
    assert texts.reflection == DEFAULTS["countdown"].reflection
