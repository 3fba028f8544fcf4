"""Names and options of the built-in verifiers: one list everywhere, and errors that say what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import pytest
from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.verifiers import OPTIONS, BuiltinName, InvalidVerifier, parse_options
from reflection_trainer.verify.reference import page
from reflection_trainer.verify.registry import BUILDERS, make_verifier

REFERENCE = Path(__file__).parents[3] / "docs/reference/verifiers.md"


def test_every_list_of_names_is_the_same():
    assert set(OPTIONS) == set(BUILDERS) == set(get_args(BuiltinName))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_described(name):
    assert OPTIONS[name].__doc__
    for field in OPTIONS[name].model_fields.values():
        assert field.description
        assert field.description.endswith(".")


@pytest.mark.parametrize("name", OPTIONS)
def test_a_verifier_says_who_it_is(name):
    verifier = make_verifier(name)
    assert verifier.name == name
    assert verifier.version >= 1
    assert type(verifier.options) is OPTIONS[name]
    assert verifier.required_columns
    assert verifier.reasons[0] == "correct"
    assert len(set(verifier.reasons)) == len(verifier.reasons)
    assert set(verifier.meanings) == set(verifier.reasons)


def test_options_reach_the_verifier_with_their_defaults():
    assert make_verifier("exact").options.to_dict() == {"strip": True, "ignoreCase": False}
    assert make_verifier("exact", {"ignoreCase": True}).options.to_dict() == {
        "strip": True,
        "ignoreCase": True,
    }
    assert make_verifier("countdown", {}).options.to_dict() == {}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("countdwn", {}, 'name: there is no built-in verifier "countdwn"; did you mean countdown?'),
        ("Exact", {}, 'name: there is no built-in verifier "Exact"; did you mean exact?'),
        (
            "xyz",
            {},
            f'name: there is no built-in verifier "xyz"; known are {", ".join(get_args(BuiltinName))}',
        ),
        (
            "exact",
            {"ignore_case": True},
            "options.ignore_case: the exact verifier has no such option; did you mean ignoreCase?",
        ),
        (
            "exact",
            {"length": 3},
            "options.length: the exact verifier has no such option; known are strip, ignoreCase",
        ),
        (
            "countdown",
            {"strip": True},
            "options.strip: the countdown verifier has no such option; remove it: this verifier takes no options",
        ),
        (
            "exact",
            {"strip": "no"},
            'options.strip: "no" is not a boolean; write true or false, without quotes',
        ),
        ("exact", {"strip": 1}, "options.strip: 1 is not a boolean; write true or false, without quotes"),
        (
            "exact",
            {"strip": None},
            "options.strip: null is not a boolean; write true or false, without quotes",
        ),
        ("exact", [], 'options: [] is not an object; write for example {"strip": true}'),
    ],
)
def test_an_error_names_field_value_and_remedy(name, options, message):
    for make in (make_verifier, parse_options):
        with pytest.raises(InvalidVerifier) as error:
            make(name, options)
        assert str(error.value) == message


class BoundedOptions(ApiModel):
    """Options of other types than the verifiers of today have."""

    tries: Annotated[int, Field(ge=1, le=9)] = 1


def test_an_option_out_of_bounds_is_named(monkeypatch):
    monkeypatch.setitem(OPTIONS, "exact", BoundedOptions)
    with pytest.raises(InvalidVerifier) as error:
        parse_options("exact", {"tries": 10})
    assert error.value.field == "options.tries"
    assert error.value.problem == "10 should be less than or equal to 9"
    assert error.value.remedy == "docs/reference/verifiers.md lists what exact takes"


def test_the_reference_page_is_the_generated_one():
    remedy = "run: python -m reflection_trainer.verify.reference > docs/reference/verifiers.md"
    assert REFERENCE.read_text(encoding="utf-8") == page(), remedy
