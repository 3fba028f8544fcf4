"""The example of an own verifier, with a judge for Countdown in the place of its own: what tests run beside a stage."""

from __future__ import annotations

import operator
import re
import time
from pathlib import Path
from typing import Any

import service

_SUM = re.compile(r"(\d{1,6}) ([-+*/]) (\d{1,6})")
HANG = Path("/tmp/hang")
"""While this file is there, nobody gets an answer."""
_DO = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def judge(item: dict[str, Any]) -> tuple[bool, str]:
    """Whether a completion makes the target from both numbers."""
    while HANG.exists():
        time.sleep(0.1)
    found = _SUM.fullmatch(item["completion"].strip())
    if found is None:
        return False, "no_equation"
    left, right = int(found[1]), int(found[3])
    if sorted((left, right)) != sorted(item["row"]["nums"]):
        return False, "wrong_numbers"
    try:
        value = _DO[found[2]](left, right)
    except ZeroDivisionError:
        return False, "no_number"
    return (True, "correct") if value == item["row"]["target"] else (False, "wrong_value")


if __name__ == "__main__":
    service.judge = judge
    service.main()
