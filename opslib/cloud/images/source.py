"""The files of a git commit, to build an image from: only what is committed, whatever else lies in the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from opslib.host.command import Completed, run
from opslib.host.task import TaskError
from opslib.host.words import listed, printable

__all__ = ["Source"]

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GITLINK = "160000"
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never")
_TIMEOUT = 300.0


class Source:
    """A folder in a git repository on this machine. Nothing in it is changed, its index among it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def commit(self, text: str) -> str:
        """Return the full hash of a commit. Raises TaskError when there is none, or no repository."""
        done = self._git("rev-parse", "--verify", "--end-of-options", text + "^{commit}")
        found = done.out.strip()
        if done.code != 0 or not _HASH.fullmatch(found):
            said = printable(" ".join(done.err.split()))[:300]
            raise TaskError(f"{self._folder} has no commit {printable(text)}: {said or 'git said nothing'}")
        return found

    def prefix(self) -> str:
        """Return where in the repository the folder is, "" at its top."""
        return self._must("rev-parse", "--show-prefix").out.rstrip("\n")

    def changes(self) -> int:
        """Return how many files below the folder differ from what is checked out, or are new."""
        done = self._git("status", "--porcelain", "-z", "--no-renames", "--", ".")
        return done.out.count("\0") if done.code == 0 else 0

    def export(self, commit: str, place: str) -> None:
        """Write the files that a commit has in the folder to another, an empty one, with the modes that git knows.

        Filters such as those of LFS are applied. Beside the other folder a file is written for a while, its name with
        `.index`. Raises TaskError for submodules, which do not come with a commit.
        """
        tree = self._tree(commit)
        missing = self._gitlinks(tree)
        if missing:
            names = listed([printable(name) for name in missing], 3)
            raise TaskError(f"{self._folder} has submodules, which do not come with a commit: {names}")
        own = {"GIT_DIR": self._must("rev-parse", "--absolute-git-dir").out.rstrip("\n"), "GIT_WORK_TREE": place}
        own["GIT_INDEX_FILE"] = place + ".index"
        for words in (("read-tree", tree), ("checkout-index", "--all")):
            self._must(*words, folder=place, more=own)
        os.unlink(place + ".index")
        _settle_modes(place)

    def _tree(self, commit: str) -> str:
        prefix = self.prefix()
        done = self._git("rev-parse", "--verify", "--end-of-options", f"{commit}:{prefix}")
        if done.code != 0 or not _HASH.fullmatch(done.out.strip()):
            raise TaskError(f"commit {commit[:12]} has no folder {printable(prefix) or '.'}")
        return done.out.strip()

    def _gitlinks(self, tree: str) -> list[str]:
        rows = self._must("ls-tree", "-r", "-z", "--full-tree", tree).out.split("\0")
        return [row.partition("\t")[2] for row in rows if row.startswith(_GITLINK)]

    def _must(self, *words: str, folder: str | None = None, more: Mapping[str, str] | None = None) -> Completed:
        done = self._git(*words, folder=folder, more=more)
        if done.code != 0:
            said = printable(" ".join(done.err.split()))[-300:]
            raise TaskError(f"git {words[0]} failed in {self._folder}: {said or 'it said nothing'}")
        return done

    def _git(self, *words: str, folder: str | None = None, more: Mapping[str, str] | None = None) -> Completed:
        line: Sequence[str] = ("git", "-C", folder or self._folder, *_OPTIONS, *words)
        return run(line, timeout=_TIMEOUT, env={**_ENVIRONMENT, **(more or {})}, ok=None, max_output=64 << 20)


def _settle_modes(place: str) -> None:
    """Give files and folders the modes that they would have anywhere, whatever the umask here."""
    for folder, names, files in os.walk(place):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                runs = os.path.isdir(path) or os.stat(path).st_mode & 0o100
                os.chmod(path, 0o755 if runs else 0o644)
