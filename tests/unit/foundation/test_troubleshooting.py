"""The page that begins with what one sees: its words are those of the API, its reasons stand below whose fault they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.crd import resource_schema
from reflection_api.reasons import MEANINGS, Fault, Reason
from reflection_api.status import Phase
from reflection_operator.children.labels import RUN_LABEL

from ...support.pages import ROOT, fences

PAGE = ROOT / "docs/troubleshooting.md"
TEXT = PAGE.read_text()
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
HEADINGS = {
    "The input": Fault.USER,
    "The surroundings": Fault.PLATFORM,
    "The program": Fault.PROGRAM,
    "The limits": Fault.LIMIT,
}
COMMANDS = [
    words
    for fence in fences(PAGE)
    if fence.language == "sh"
    for line in fence.text.replace("\\\n", "").splitlines()
    if (words := shlex.split(line))
]
_REASON = re.compile(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`")


def sections() -> Iterator[tuple[str, str]]:
    """Each part of the page with its heading of the second level."""
    for part in re.split(r"^## ", PROSE, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        yield heading, text


def headed(fault: Fault) -> set[str]:
    """Reasons in the headings below the heading of a fault."""
    (text,) = (text for heading, text in sections() if HEADINGS.get(heading) is fault)
    return {word for line in text.splitlines() if line.startswith("###") for word in _REASON.findall(line)}


def test_every_reason_on_the_page_exists() -> None:
    known = {*map(str, Reason), *map(str, ConditionType), *map(str, Phase)}
    assert sorted(set(_REASON.findall(PROSE)) - known) == []


def test_every_reason_that_is_somebody_s_fault_is_on_the_page() -> None:
    faulty = {str(reason) for reason in Reason if MEANINGS[reason].fault is not Fault.NONE}
    assert sorted(faulty - set(_REASON.findall(PROSE))) == []


@pytest.mark.parametrize("fault", HEADINGS.values(), ids=str)
def test_a_reason_heads_a_part_below_its_own_fault(fault: Fault) -> None:
    found = headed(fault)
    assert len(found) >= 3
    assert {MEANINGS[Reason(reason)].fault for reason in found} == {fault}


def test_every_status_is_explained() -> None:
    rows = [line.split("|")[1] for line in PROSE.splitlines() if line.startswith("| ")]
    explained = {word for row in rows for word in _REASON.findall(row)}
    assert explained == {*map(str, Phase)}


def test_no_part_has_more_than_three_commands() -> None:
    for part in re.split(r"^##+ ", TEXT, flags=re.MULTILINE)[1:]:
        shown = [
            text.replace("\\\n", "") for text in re.findall(r"^```(?:sh|text)\n(.*?)^```$", part, re.M | re.S)
        ]
        assert sum(len(text.splitlines()) for text in shown) <= 3


def test_pods_are_chosen_by_the_label_that_they_have() -> None:
    selected = {word for words in COMMANDS for word in words if word.startswith("reflection.training/")}
    assert selected == {f"{RUN_LABEL}=countdown"}


def paths(template: str) -> Iterator[list[str]]:
    """The fields that a template for kubectl names, those in a range from the list on."""
    within: list[str] = []
    for whole in re.findall(r"\{([^{}]*)\}", template):
        is_range, _, path = whole.rpartition(" ")
        if not path.startswith("."):
            continue
        names = path.strip(".").replace("[*]", "").split(".")
        yield [*within, *names]
        if is_range:
            within = names


def has(schema: Any, names: list[str]) -> bool:
    for name in names:
        schema = schema.get("items", schema).get("properties", {})
        if name not in schema:
            return False
        schema = schema[name]
    return True


TEMPLATES = [word for words in COMMANDS for word in words if word.startswith("jsonpath=")]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_names_fields_of_the_resource(template: str) -> None:
    found = list(paths(template))
    assert found
    assert [names for names in found if not has(resource_schema(), names)] == []


def test_a_field_that_does_not_exist_is_noticed() -> None:
    assert not has(resource_schema(), ["status", "attempts", "reasons"])
    assert list(paths('{range .status.attempts[*]}{.stage} {.reason}{"\\n"}{end}')) == [
        ["status", "attempts"],
        ["status", "attempts", "stage"],
        ["status", "attempts", "reason"],
    ]
