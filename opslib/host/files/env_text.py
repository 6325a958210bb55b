"""The text of a systemd environment file: its lines, the values they give, and edits that leave the rest as it is.

Source: systemd.exec(5), EnvironmentFile=, and env-file.c of systemd, whose states `_value` follows.
"""

from __future__ import annotations

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Sequence

BLANK, COMMENT, ASSIGNMENT, JUNK = "blank", "comment", "assignment", "junk"
_NEWLINES = "\n\r"
_SPACE = " \t\n\r"
_ESCAPED = '"\\`$'
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+,=^")


class Piece(Record):
    """A part of the text, with the end of its line: an assignment (perhaps of several lines) or a line of another sort.

    finished: False where a quote is still open, or a backslash waits for more, at the end of the text.
    """

    kind: str
    raw: str
    line: int
    key: str = ""
    value: str = ""
    finished: bool = True


def parse(text: str) -> list[Piece]:
    """Return the pieces of a text; together their `raw` is the text."""
    pieces = []
    place, line = 0, 1
    while place < len(text):
        piece = _piece(text, place, line)
        pieces.append(piece)
        place += len(piece.raw)
        line += piece.raw.count("\n")
    return pieces


def values(pieces: Sequence[Piece]) -> dict[str, str]:
    """Return the variables as systemd takes them: the last assignment of a name counts."""
    return {piece.key: piece.value for piece in pieces if piece.kind == ASSIGNMENT}


def flaw(pieces: Sequence[Piece]) -> str:
    """Return why a text cannot be edited safely, in words; empty when it can."""
    for piece in pieces:
        try:
            piece.raw.encode("utf-8")
        except UnicodeError:
            return "line %d is not UTF-8, for which systemd refuses the whole file" % piece.line
        if not piece.finished:
            return "the value in line %d does not end: a quote or a backslash is open" % piece.line
    for number, piece in enumerate(pieces):
        blank = number + 1 < len(pieces) and pieces[number + 1].kind == BLANK
        if piece.kind == COMMENT and piece.raw.rstrip(_NEWLINES).endswith("\\") and not blank:
            return (
                "the comment in line %d ends with a backslash: some versions of systemd take the next line as part of "
                "it, others do not; remove the backslash" % piece.line
            )
    return ""


def edit(text: str, wanted: Mapping[str, str | None], notes: Mapping[str, str | None]) -> str:
    """Return the text with variables set, or removed where None is wanted; all other lines stay as they are.

    An assignment that says the same already stays as well; where one is replaced, earlier ones of the same name go.
    notes: by variable, a remark in a comment line of ours right above it; None removes it.
    """
    pieces = parse(text)
    last = {piece.key: number for number, piece in enumerate(pieces) if piece.kind == ASSIGNMENT}
    same = {key for key, number in last.items() if key in wanted and pieces[number].value == wanted[key]}
    out: list[str] = []
    for number, piece in enumerate(pieces):
        noted = note_of(piece)
        if noted and noted[0] in notes:
            continue
        if piece.kind != ASSIGNMENT or piece.key not in wanted or piece.key in same:
            if piece.kind == ASSIGNMENT and notes.get(piece.key) and number == last[piece.key]:
                out.append(_note(piece.key, notes[piece.key]))
            out.append(piece.raw)
        elif number == last[piece.key]:
            value = wanted[piece.key]
            if value is not None:
                out.append(_note(piece.key, notes.get(piece.key)) + assignment(piece.key, value))
    new = [
        _note(key, notes.get(key)) + assignment(key, value)
        for key, value in wanted.items()
        if value is not None and key not in last
    ]
    whole = "".join(out)
    # The last line may have no end, or one that a backslash takes for its own.
    if whole and (not whole.endswith("\n") or (new and len(parse(whole + "A=\n")) == len(parse(whole)))):
        whole += "\n"
    return whole + "".join(new)


def assignment(key: str, value: str) -> str:
    """Return the line that gives a variable this value, for systemd and for a shell that sources the file alike."""
    return "%s=%s\n" % (key, quoted(value))


def quoted(value: str) -> str:
    """Return a value as it must be written: bare where that is safe, else in double quotes."""
    if not value or all(c in _PLAIN for c in value):
        return value
    return '"%s"' % "".join("\\" + c if c in _ESCAPED else c for c in value)


def note_of(piece: Piece) -> tuple[str, str] | None:
    """Return the variable and the remark of a comment line of ours."""
    if piece.kind != COMMENT or not piece.raw.startswith("# opslib: "):
        return None
    key, _space, remark = piece.raw[10:].strip().partition(" ")
    return (key, remark) if remark else None


def _note(key: str, remark: str | None) -> str:
    return "# opslib: %s %s\n" % (key, remark) if remark else ""


def _piece(text: str, start: int, line: int) -> Piece:
    place = start
    while place < len(text) and text[place] in " \t":
        place += 1
    if place == len(text) or text[place] in _NEWLINES:
        return Piece(kind=BLANK, raw=text[start : place + 1], line=line)
    if text[place] in "#;":
        end = _end_of_line(text, place)
        return Piece(kind=COMMENT, raw=text[start:end], line=line)
    end = place
    while end < len(text) and text[end] not in "=" + _NEWLINES:
        end += 1
    if end == len(text) or text[end] != "=":
        return Piece(kind=JUNK, raw=text[start : end + 1], line=line)
    key = text[place:end].rstrip(_SPACE)
    value, end, finished = _value(text, end + 1)
    return Piece(kind=ASSIGNMENT, raw=text[start:end], line=line, key=key, value=value, finished=finished)


def _end_of_line(text: str, place: int) -> int:
    while place < len(text) and text[place] not in _NEWLINES:
        place += 1
    return min(place + 1, len(text))


def _value(text: str, place: int) -> tuple[str, int, bool]:
    """Return the value that begins here, the place behind its line, and whether it is finished.

    A quote opens only at the beginning, or behind another quoted part; in the midst of a bare word it is a letter.
    """
    out: list[str] = []
    kept = 0  # blanks at the end of a bare word do not count
    bare = False
    quote = ""
    while place < len(text):
        c = text[place]
        place += 1
        if quote:
            if c == quote:
                quote = ""
            elif c == "\\" and quote == '"':
                if place == len(text):
                    return "".join(out), place, False
                c = text[place]
                place += 1
                out.append("" if c == "\n" else c if c in _ESCAPED else "\\" + c)
            else:
                out.append(c)
            kept = len(out)
        elif c in _NEWLINES:
            return "".join(out[:kept]), place, True
        elif c == "\\":
            if place == len(text):
                return "".join(out[:kept]), place, False
            c = text[place]
            place += 1
            out.append("" if c in _NEWLINES else c)
            kept, bare = len(out), True
        elif c in "'\"" and not bare:
            quote = c
        elif c not in _SPACE:
            out.append(c)
            kept, bare = len(out), True
        elif bare:
            out.append(c)
    return "".join(out[:kept]), place, not quote
