"""Messages over blocking pipes between two children, one JSON line each."""

from __future__ import annotations

import json
import os
from typing import Any

from .plain import MAX_LINE, to_line


class Hung(Exception):
    """The other side has ended, or writes what is no message."""


class Wire:
    """One side of a conversation."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._rest = bytearray()

    def send(self, message: Any) -> None:
        """Write a message.

        Raises:
            Hung: nobody reads.
        """
        line = memoryview(to_line(message))
        try:
            while line:
                line = line[os.write(self._writer, line) :]
        except BrokenPipeError:
            raise Hung from None

    def receive(self) -> Any:
        """The next message.

        Raises:
            Hung: there is none.
        """
        while b"\n" not in self._rest:
            chunk = os.read(self._reader, 65536)
            if not chunk or len(self._rest) > MAX_LINE:
                raise Hung
            self._rest += chunk
        line, _, rest = self._rest.partition(b"\n")
        self._rest = bytearray(rest)
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise Hung from None
