"""The one writer to the terminal: lines of many processes, each under its name."""

import os
import sys
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93)  # ANSI foregrounds, readable on light and dark
_WIDTH = 8


class Terminal:
    """Prefixes every line with the name of who said it; coloured where a person looks at it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._coloured = (
            self._stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )
        self._names: dict[str, int] = {}
        self.broken = False

    def line(self, name: str, text: str) -> None:
        """Writes one line; a reader that has gone away (`make up | head`) sets `broken`."""
        if self.broken:
            return
        try:
            self._stream.write(f"{self._prefix(name)} {text}\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.broken = True

    def _prefix(self, name: str) -> str:
        if not self._coloured:
            return f"{name:<{_WIDTH}} |"
        colour = _COLOURS[self._names.setdefault(name, len(self._names)) % len(_COLOURS)]
        return f"\033[{colour}m{name:<{_WIDTH}} |\033[0m"
