"""Options of the built-in verifiers."""

from __future__ import annotations

from typing import Literal

BuiltinName = Literal["countdown", "exact"]
