"""`reflect crd`: the CustomResourceDefinition, generated from the types."""

from __future__ import annotations

import typer

from .output import Format, Output, print_json


def crd(output: Output = Format.TEXT) -> None:
    """Print the CustomResourceDefinition.

    Install it with: reflect crd | kubectl apply --server-side -f -
    """
    from reflection_api.crd import crd_yaml, custom_resource_definition

    if output is Format.JSON:
        print_json(custom_resource_definition())
    else:
        typer.echo(crd_yaml(), nl=False)
