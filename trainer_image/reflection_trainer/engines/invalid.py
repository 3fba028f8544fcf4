"""How a model that cannot be used is named."""

from __future__ import annotations

from reflection_api.reasons import Reason

from ..errors import BadConfig, first_line

LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)
"""What transformers raises on damaged or foreign files."""


def invalid(uri: str, what: str) -> BadConfig:
    """The failure of a model; `what` goes on from its name."""
    return BadConfig(f"spec.model.uri: {uri} {what}", reason=Reason.INVALID_MODEL)


def quoted(error: BaseException) -> str:
    """A library's error in a line, with the remedy in this project's words where it asks for trust."""
    if "trust_remote_code" in str(error):
        return (
            "it needs Python code that comes with it; set spec.model.trustRemoteCode: true if you trust that code, "
            "or use another model"
        )
    return first_line(error)
