"""The options of commands that read S3 themselves: how it is reached, as spec.storage says it of a run."""

from __future__ import annotations

import json
from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        help="As spec.storage.endpoint. Default: AWS_ENDPOINT_URL, else Amazon's.",
        metavar="URL",
    ),
]
Region = Annotated[str | None, typer.Option("--region", help="As spec.storage.region.")]
PathStyle = Annotated[
    bool | None, typer.Option("--path-style/--virtual-hosts", help="As spec.storage.pathStyle.")
]


def settings_option(endpoint: str | None, region: str | None, path_style: bool | None) -> list[str]:
    """What the trainer's programs are told; nothing where no option was given."""
    settings = {"endpoint": endpoint, "region": region, "pathStyle": path_style}
    chosen = {name: value for name, value in settings.items() if value is not None}
    return [f"--settings={json.dumps(chosen)}"] if chosen else []
