"""Types become structural schemas, and types that cannot are refused with the place."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field
from reflection_api.base import ApiModel
from reflection_api.crd.schema import NotStructural, structural_schema
from reflection_api.rules import Rule, schema_rules


class Colour(StrEnum):
    """A colour."""

    RED = "red"


class Inner(ApiModel):
    """The class says this."""

    colour: Colour = Field(Colour.RED, description="Which one.")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="A share.")


class Guarded(ApiModel):
    """Guarded by a rule."""

    model_config = ConfigDict(json_schema_extra=schema_rules(Rule(rule="self.count > 0", message="m")))
    count: Annotated[int, Field(ge=0, le=9)] = Field(3, description="How many.")
    inner: Inner = Field(default_factory=Inner, description="Nested.")


class Outer(ApiModel):
    """The whole."""

    name: str = Field(description="Required.")
    mode: Literal["fast"] = Field("fast", description="One way only.")
    maybe: Annotated[int, Field(ge=1, le=2**40)] | None = Field(None, description="Optional.")
    inner: Inner = Field(default_factory=Inner, description="The field says this.")
    absent: Inner | None = Field(None, description="Not there by default.")
    guarded: Guarded = Field(default_factory=Guarded, description="With rules.")
    names: list[str] = Field(default_factory=list, description="None by default.")
    labels: dict[str, str] = Field(default_factory=dict, description="None by default.")


@pytest.fixture(scope="module")
def outer() -> dict[str, Any]:
    return structural_schema(Outer)


def test_references_are_inlined_and_the_fields_description_goes_first(outer: dict[str, Any]) -> None:
    assert outer["properties"]["inner"] == {
        "description": "The field says this.",
        "type": "object",
        "properties": {
            "colour": {"description": "Which one.", "type": "string", "enum": ["red"], "default": "red"},
            "share": {
                "description": "A share.",
                "type": "number",
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 1,
                "default": 0.5,
            },
        },
        "default": {},
    }


def test_optional_means_absent(outer: dict[str, Any]) -> None:
    assert outer["properties"]["maybe"] == {
        "description": "Optional.",
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": 2**40,
    }
    assert "default" not in outer["properties"]["absent"]
    assert outer["required"] == ["name"]


def test_a_section_with_rules_has_its_defaults_written_out(outer: dict[str, Any]) -> None:
    """The API server evaluates the rules against the default before it fills in nested defaults, and refuses the CRD."""
    assert outer["properties"]["guarded"]["default"] == {"count": 3, "inner": {"colour": "red", "share": 0.5}}
    assert outer["properties"]["guarded"]["properties"]["inner"]["default"] == {}


def test_small_integers_are_int32_and_one_value_is_an_enum(outer: dict[str, Any]) -> None:
    assert outer["properties"]["guarded"]["properties"]["count"]["format"] == "int32"
    assert outer["properties"]["mode"]["enum"] == ["fast"]


def test_empty_lists_and_maps_are_no_defaults(outer: dict[str, Any]) -> None:
    assert "default" not in outer["properties"]["names"]
    assert outer["properties"]["labels"] == {
        "description": "None by default.",
        "type": "object",
        "additionalProperties": {"type": "string"},
    }


class Union(ApiModel):
    value: int | str


class FreeForm(ApiModel):
    value: dict[str, Any]


class Anything(ApiModel):
    value: list[Any]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Union, "Union.value: a union of types"),
        (FreeForm, "FreeForm.value: a free-form object"),
        (Anything, r"Anything.value\[\]: any value is allowed"),
    ],
)
def test_what_the_dialect_cannot_say_is_refused(model: type[ApiModel], message: str) -> None:
    with pytest.raises(NotStructural, match=message):
        structural_schema(model)
