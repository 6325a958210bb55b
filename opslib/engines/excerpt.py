"""Some plays of a playbook, as a playbook of their own that stands beside the original.

The text is the original's, with empty comments for the other plays' lines, so that vault tags, Jinja, comments and
line numbers survive. It stands in the original's folder, where `playbook_dir` and all that is found or written by it
lead where they always do. Nobody else can read it, and it is gone as soon as Ansible has read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml

from opslib.engines.private_folder import write
from opslib.engines.work import Play
from opslib.errors import PlaybookError

__all__ = ["beside", "obstacle"]

MAX_BYTES = 8 << 20
_BREAK = re.compile("(?<=\n)|(?<=\r)(?!\n)|(?<=[\x85\u2028\u2029])")  # what ends a line in YAML


def obstacle(playbook: Path, plays: Sequence[Play]) -> str | None:
    """Say why these plays cannot be run without the rest of their file, or return None.

    Raises PlaybookError when the file cannot be read.
    """
    abroad = next((play for play in plays if _absolute(play.source) != _absolute(playbook)), None)
    if abroad is not None:
        return f"play {abroad.name!r} comes from {abroad.source} by import_playbook"
    folder = _absolute(playbook).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"in {folder} no file can be made that holds some of its plays alone"
    return _Text(playbook).obstacle({play.line for play in plays})


@contextlib.contextmanager
def beside(
    playbook: Path, plays: Sequence[Play], *, before: Mapping[str, Any] | None = None, end_mark: str = ""
) -> Iterator[Path]:
    """Write the excerpt beside the playbook for a while; whoever has read it may remove it before.

    before: a play that comes before the others, in the line of the file's first; end_mark: name of an empty play that
    is added at the end; that it begins shows that nothing stopped the others.
    Raises PlaybookError.
    """
    reason = obstacle(playbook, plays)
    if reason:
        raise PlaybookError(f"{playbook}: these plays cannot be run apart from the others: {reason}")
    original = _absolute(playbook)
    text = _Text(original).keep({play.line for play in plays}, before, end_mark)
    excerpt = original.with_name(f".opslib-{token_hex(8)}~")  # no inventory, should that be the folder
    with contextlib.ExitStack() as made:
        made.callback(excerpt.unlink, missing_ok=True)
        try:
            write(excerpt, text)
        except OSError as error:
            raise PlaybookError(f"{excerpt}: {error.strerror}") from error
        yield excerpt


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


class _Text:
    """The text of a playbook, cut up by its plays without interpreting any tag."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self.text = file.read(MAX_BYTES + 1).decode("utf-8-sig")
            if len(self.text) > MAX_BYTES:
                raise PlaybookError(f"{path} has more than {MAX_BYTES >> 20} MiB; that is no playbook")
            self.lines = _BREAK.split(self.text)
            self.indent = self.end = 0
            self.starts, self.lent = self._look()
        except OSError as error:
            raise PlaybookError(f"{path}: {error.strerror}") from error
        except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            raise PlaybookError(f"{path} is no YAML text: {str(error)[:500]}") from error

    def obstacle(self, lines: set[int]) -> str | None:
        """Say why the plays that begin in these lines cannot be cut out."""
        begins = {line for _dash, line in self.starts}
        if not self.starts:
            return "the file is not a list of plays, one below the other"
        if not lines <= begins:
            return f"no play begins in line {min(lines - begins)}"
        for owner, borrower in self.lent:
            if borrower in lines and owner not in lines:
                return f"the play in line {borrower} uses a YAML anchor of the play in line {owner}"
        return None

    def keep(self, lines: set[int], before: Mapping[str, Any] | None = None, end_mark: str = "") -> str:
        """Return the text with the lines of other plays made comments, perhaps a play before and an empty one after."""
        kept = list(self.lines)
        ends = [dash for dash, _line in self.starts[1:]] + [len(kept) + 1]
        for (dash, line), end in zip(self.starts, ends, strict=True):
            if line not in lines:
                kept[dash - 1 : end - 1] = ["#\n"] * (end - dash)
        if before is not None:
            dash, line = self.starts[0]
            kept[dash - 1] = self._play(before) + (kept[dash - 1] if line in lines else "")
        text = "".join(kept[: self.end])
        if not end_mark:
            return text
        gap = "#\n" if text.endswith("\n") else "\n#\n"
        return text + gap + self._play({"name": end_mark, "hosts": "all", "gather_facts": False})

    def _play(self, play: Mapping[str, Any]) -> str:
        return f"{' ' * self.indent}- {json.dumps(play)}\n"

    def _look(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return, per play, the lines of its dash and its beginning; and which play uses whose anchor."""
        starts: list[tuple[int, int]] = []
        lent: list[tuple[int, int]] = []
        anchors: dict[str | None, int] = {}
        depth = 0
        documents = 0
        event: Any
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            begin = event.start_mark
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            elif isinstance(event, yaml.DocumentEndEvent):
                self.end = begin.line if event.explicit else len(self.lines)
            if isinstance(event, yaml.NodeEvent):
                if depth == 0 and not (isinstance(event, yaml.SequenceStartEvent) and not event.flow_style):
                    return [], []
                if depth == 0:
                    self.indent = begin.column
                if depth == 1:
                    starts.append((self._dash(begin.line, starts), begin.line + 1))
                if isinstance(event, yaml.AliasEvent):
                    lent.append((anchors.get(event.anchor, 0), starts[-1][1]))
                elif event.anchor and starts:
                    anchors[event.anchor] = starts[-1][1]
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
        return (starts, lent) if documents == 1 else ([], [])

    def _dash(self, line: int, starts: list[tuple[int, int]]) -> int:
        """Return the line of the dash before a play: the nearest line above that begins with one."""
        lowest = starts[-1][1] if starts else 0
        while line > lowest and not self.lines[line].lstrip().startswith("-"):
            line -= 1
        return line + 1
