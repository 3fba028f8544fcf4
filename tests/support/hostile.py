"""Completions that a verifier must survive: large, deep, nearly right, and never an answer."""

from __future__ import annotations

MILLION = 1_000_000
HOSTILE = {
    "open parentheses": "(" * MILLION,
    "ten thousand parentheses": "<answer>" + "(" * 10_000 + "3*4" + ")" * 10_000 + "</answer>",
    "lines that nearly parse": "1+\n" * (MILLION // 3),
    "lines that parse late": "(1+1)*2++1\n" * (MILLION // 11),
    "long lines": ("1+" * 2047 + "\n") * (MILLION // 4095),
    "empty lines": "\n" * MILLION,
    "carriage returns": "\r" * MILLION,
    "one number": "9" * MILLION,
    "one number between tags": "<answer>" + "9" * MILLION + "</answer>",
    "a tower": "<answer>" + "**".join(["9"] * 300_000) + "</answer>",
    "a product": "<answer>" + "*".join(["9"] * 2_000) + "</answer>",
    "open lists, then numbers": "[" * 900 + "1," * 49_000,
    "calls cut off": '{"name": "f", "arguments": {"a": [' * 2_900,
    "an object that closes early": '{"name": "f", "arguments": {}}}' * 3_000
    + '{"name": "g", "arguments": {}}',
    "opening calls": "<tool_call>" * (MILLION // 11),
    "empty calls": "<tool_call></tool_call>" * 4_000,
    "fences": "```\n" * (MILLION // 4),
    "json fences": "```json\n[\n```\n" * (MILLION // 14),
    "backticks": "`" * MILLION,
    "opening tags": "<answer>" * (MILLION // 8),
    "closing tags": "</answer>" * (MILLION // 9),
    "empty pairs": "<answer></answer>" * (MILLION // 17),
    "tags the wrong way round": "</answer><answer>" * (MILLION // 17),
    "nearly tags": "<answer" * (MILLION // 7),
    "blanks": " " * MILLION,
    "equals signs": "=" * MILLION,
    "digits of another script": "\u0663" * MILLION,
    "letters and digits": "a1" * (MILLION // 2),
    "null characters": "\x00" * MILLION,
    "case folding that grows": "\u0390" * MILLION,
}
