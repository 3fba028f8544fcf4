"""Lua scripts of Argo CD, run by the engine that Argo CD has (gopher-lua), with the libraries that it leaves them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .go_tools import go_tool

_PACKAGE = "github.com/yuin/gopher-lua/cmd/glua"
_LIMIT_S = 30
_FRAME = """\
local write, gsub, format = io.write, string.gsub, string.format
local function json(value)
  if type(value) == "table" then
    local parts = {}
    if #value > 0 then
      for _, each in ipairs(value) do table.insert(parts, json(each)) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for name, each in pairs(value) do table.insert(parts, json(name) .. ":" .. json(each)) end
    return "{" .. table.concat(parts, ",") .. "}"
  end
  if type(value) ~= "string" then return tostring(value) end
  return '"' .. gsub(value, '[%%c"\\\\]', function(c) return format("\\\\u%%04x", c:byte()) end) .. '"'
end
obj = %s
local function script()
%s
end
-- What Argo CD opens no library for.
string, math, io, os, debug, coroutine, channel = nil, nil, nil, nil, nil, nil, nil
write(json(script()))
"""


def run_lua(script: str, obj: Any, folder: Path) -> Any:
    """What a script returns for an object."""
    file = folder / "script.lua"
    file.write_text(_FRAME % (_literal(obj), script))
    done = subprocess.run(
        [str(go_tool("lua", _PACKAGE)), str(file)],
        text=True,
        capture_output=True,
        check=False,
        timeout=_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def _literal(value: Any) -> str:
    """A value of JSON as Lua has it: what is null does not exist."""
    if isinstance(value, dict):
        parts = (f"[{_literal(name)}]={_literal(part)}" for name, part in value.items() if part is not None)
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_literal, value)) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return json.dumps(value)
