"""The unit file that a release brings along. Sources: systemd.unit(5), systemctl(1).

It comes from the repository, so whoever may push there says what runs here as root; that is why it is installed only
where it is asked for.
"""

from __future__ import annotations

import os

from opslib.host.files import private, tree
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.units import hold, systemd
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .ground import Ground
    from .records import Pending

FOLDER = "/etc/systemd/system"
_MOST_BYTES = 64 << 10
_MODE = 0o644


class UnitFiles(Record):
    """A unit's file on this host, and in the releases of an application.

    unit: its full name, None when none is restarted; source: its path in the repository, empty when the unit file is
    no part of a release.
    """

    ground: Ground
    unit: str | None = None
    source: str = ""

    @property
    def path(self) -> str:
        """Where it is installed."""
        return "%s/%s" % (FOLDER, self.unit)

    # --- reading

    def problem(self) -> str:
        """Return why it cannot be installed, in words; an empty string when it can. Reads only."""
        if not self.source:
            return ""
        if not os.access(FOLDER, os.W_OK):
            return "only root can install %s; run this as root (become)" % self.path
        odd = str((self._installed() or {}).get("odd", ""))
        return "%s is %s, so it is not replaced; move it away" % (self.path, odd) if odd else ""

    def stale(self, commit: str) -> bool:
        """Whether another file is installed than this commit has. Reads only."""
        text = self.of(commit) if self.source and commit else None
        return text is not None and (self._installed() or {}).get("text") != text

    def of(self, commit: str) -> str | None:
        """Return the file as a commit has it, None when it has none. Raises TaskError for what is no unit file."""
        data = self.ground.git.content(commit, self.source, _MOST_BYTES)
        if data is None:
            return None
        sections = [line.strip() for line in data.split("\n") if line.strip().startswith("[")]
        if "\0" in data or not sections or len(data) >= _MOST_BYTES:
            raise TaskError("%s of the release is no unit file" % printable(self.source))
        return data

    def expect(self, commit: str) -> None:
        """See that a commit has the file. Raises TaskError."""
        if self.source and self.of(commit) is None:
            raise TaskError("the release has no %s (unit_file)" % printable(self.source))

    def _installed(self) -> dict[str, Any] | None:
        folder = tree.open_folder(FOLDER)
        try:
            return private.read(folder, str(self.unit))
        finally:
            os.close(folder)

    # --- writing

    def keep(self, identity: str) -> None:
        """Keep what is installed, as that of a release; of none, when the name is empty."""
        found = self._installed() or {"text": None, "mode": _MODE}
        self.ground.book.keep_unit(identity, {"unit": self.unit, "text": found["text"], "mode": found["mode"]})

    def install(self, at: Pending) -> None:
        """Install the file of the release that is put in place; where it has none, that with which it served before."""
        text = self.of(at.commit)
        if text is not None:
            self._put(str(self.unit), text, _MODE)
            self._see()
        elif self.ground.book.unit_kept(at.id):
            self._restore(at.id)

    def restore(self, at: Pending) -> None:
        """Put back what was installed before, whatever was done of it already."""
        if at.unit_kept:
            self._restore(at.previous)

    def _restore(self, identity: str) -> None:
        kept = self.ground.book.unit_kept(identity)
        unit, text = systemd.UnitName()(kept.get("unit")), kept.get("text")
        self._put(unit, None if text is None else str(text), int(kept.get("mode", _MODE)))

    def _put(self, unit: str, text: str | None, mode: int) -> None:
        folder = tree.open_folder(FOLDER)
        try:
            if text is None:
                tree.remove(folder, unit)
                os.fsync(folder)
            else:
                private.replace(folder, unit, text, mode)
        finally:
            os.close(folder)
        hold.reload()

    def _see(self) -> None:
        unit = systemd.show(str(self.unit))
        if unit.load in ("bad-setting", "error"):
            raise TaskError("systemd does not take the release's %s (%s)" % (printable(self.source), unit.load))
