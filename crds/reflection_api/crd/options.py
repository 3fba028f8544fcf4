"""Types for the options of the built-in verifiers, which depend on the verifier's name.

A structural schema has no unions. So `options` gets every option of every verifier, and one rule per option says which
verifiers know it.
"""

from __future__ import annotations

from ..rules import Rule
from ..verifiers import OPTIONS
from .schema import RULES, NotStructural, Schema, structural_schema


def type_verifier_options(builtin: Schema) -> None:
    """Fill in the options of a `builtin` section and their rules.

    Raises:
        NotStructural: two verifiers give one option different types.
    """
    options, owners = _union()
    builtin["properties"]["options"] |= {"type": "object", "properties": options}
    rules = [_belongs_to(option, names) for option, names in sorted(owners.items())]
    if rules:
        builtin[RULES] = [rule.to_schema() for rule in rules]


def _union() -> tuple[Schema, dict[str, list[str]]]:
    """All options with their schema, and the names of the verifiers that know each."""
    options: Schema = {}
    owners: dict[str, list[str]] = {}
    for verifier, model in sorted(OPTIONS.items()):
        for name, schema in structural_schema(model)["properties"].items():
            # Filled in by the verifier: a default here would reach verifiers that do not know the option.
            schema.pop("default", None)
            if options.setdefault(name, schema) != schema:
                raise NotStructural(
                    f"option {name} of {verifier}: {' and '.join(owners[name])} types it in another way"
                )
            owners.setdefault(name, []).append(verifier)
    return options, owners


def _belongs_to(option: str, verifiers: list[str]) -> Rule:
    known = ", ".join(f"'{name}'" for name in verifiers)
    return Rule(
        rule=f"!has(self.options) || !has(self.options.{option}) || self.name in [{known}]",
        message=f"is for {' and '.join(verifiers)} only; remove it",
        field_path=f".options.{option}",
    )
