"""Checks a resource as the API server would, without one: same defaults, same schema, same rules, clearer words."""

from .check import refusals
from .problem import Problem, dotted
from .resources import Checked, InvalidResources, check_text, load_resources, read_source
from .settings import BadSetting
from .update import check_update

__all__ = [
    "BadSetting",
    "Checked",
    "InvalidResources",
    "Problem",
    "check_text",
    "check_update",
    "dotted",
    "load_resources",
    "read_source",
    "refusals",
]
