"""examples/own-verifier/openapi.json: what an own verifier must answer."""

from __future__ import annotations

import json

from ..verifier_service import openapi


def page() -> str:
    """The whole document."""
    return json.dumps(openapi(), indent=2) + "\n"
