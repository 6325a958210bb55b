"""git, as far as deployments need it: nothing a repository says is run, nobody is asked for a password.

Sources: git-ls-remote(1), git-fetch(1), git-checkout(1), git-config(1), gitrevisions(7).
"""

from __future__ import annotations

from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import listed, printable

from .actor import Actor, said
from .kinds import is_hex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from opslib.host.command import Completed

BRANCH, TAG, COMMIT = "branch", "tag", "commit"
PINS = "refs/opslib/"
_POINTER = "version https://git-lfs.github.com/spec/v1"
_OPTIONS = (
    ("protocol.ext.allow", "never"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
)
_ENV = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "never"}
_MIRRORED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_TRACKED = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


class Resolved(Record):
    """What a ref means: a commit's hash and whether it is a branch, a tag or a commit; or why it means nothing.

    tip: the newest commit of the ref, when an older one of it is asked for.
    """

    commit: str = ""
    kind: str = ""
    problem: str = ""
    tip: str = ""


class Git(Record):
    """A repository on this host, by its git folder; work: the folder of files that belongs to it, if it has one."""

    actor: Actor
    folder: str
    work: str = ""
    timeout: float = 600

    def call(
        self, *words: str, ok: Sequence[int] | None = (0,), timeout: float | None = None, index: str = ""
    ) -> Completed:
        """Run git on this repository."""
        where = ["--git-dir=" + self.folder] + (["--work-tree=" + self.work] if self.work else [])
        env = dict(_ENV, GIT_INDEX_FILE=index) if index else _ENV
        return _git(self.actor, [*where, *words], timeout or self.timeout, ok, env, self.work or "/")

    def make(self) -> None:
        """Make the repository, a bare one unless it has files; harmless where it is already."""
        where = ("--", self.work) if self.work else ("--bare", "--", self.folder)
        self.actor.run(("git", "init", "--quiet", "--template=", *where), timeout=60, env=_ENV)

    def unlock(self) -> None:
        """Remove the locks and unfinished packs of a git that was killed; only for who alone works here."""
        unfinished = ("-path", "*/objects/*", "-name", "tmp_*")
        tests = ("-xdev", "-type", "f", "(", "-name", "*.lock", "-o", *unfinished, ")", "-delete")
        self.actor.run(("find", self.folder, *tests), timeout=60, ok=None)

    def fetch(self, repository: str) -> None:
        """Bring all branches and tags; those that are gone at the remote go here too, commits that are pinned stay."""
        refs = _TRACKED if self.work else _MIRRORED
        self.call("fetch", "--quiet", "--prune", "--force", "--", repository, *refs)

    def has(self, commit: str) -> bool:
        """Return whether a commit is here."""
        return self.call("cat-file", "-e", commit + "^{commit}", ok=None, timeout=60).code == 0

    def commit_of(self, text: str) -> str:
        """Return the full hash that a text stands for here, or an empty string."""
        if text.startswith("-"):  # git 2.25 knows no end of options here
            return ""
        words = ("rev-parse", "--verify", "--quiet", text + "^{commit}")
        done = self.call(*words, ok=None, timeout=60)
        return done.out.strip() if done.code == 0 and is_hex(done.out.strip(), 40) else ""

    def is_ancestor(self, old: str, new: str) -> bool:
        """Return whether a commit is in the history of another."""
        return self.call("merge-base", "--is-ancestor", old, new, ok=None, timeout=60).code == 0

    def pin(self, identity: str, commit: str) -> None:
        """Keep a commit for as long as a release of it is known, whatever happens to branches."""
        self.call("update-ref", PINS + identity, commit, timeout=60)

    def unpin(self, identity: str) -> None:
        """No longer keep a release's commit."""
        self.call("update-ref", "-d", PINS + identity, ok=None, timeout=60)

    def dirty(self) -> list[str]:
        """Return the files that differ from what is checked out; reads only."""
        done = self.call("--no-optional-locks", "status", "--porcelain", "-z", "--untracked-files=no", timeout=120)
        return [printable(row[3:]) for row in done.out.split("\0") if row[2:3] == " "]

    def added(self, old: str, new: str) -> list[str]:
        """Return the files that one commit has and an older one has not."""
        words = ("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", old, new, "--")
        return [name for name in self.call(*words, timeout=120).out.split("\0") if name]

    def local_commits(self) -> int:
        """Return how many commits are checked out that no remote branch, tag or pinned release has."""
        words = (
            "rev-list",
            "--count",
            "--max-count=1000",
            "HEAD",
            "--not",
            "--remotes",
            "--tags",
            "--glob=" + PINS + "*",
        )
        text = self.call(*words, timeout=120).out.strip()
        return int(text) if text.isdigit() else 0

    def content(self, commit: str, path: str, limit: int) -> str | None:
        """Return a file as a commit has it, cut at `limit` bytes; None when it has none."""
        done = self.call("cat-file", "blob", commit + ":" + path, ok=None, timeout=60)
        return done.out[:limit] if done.code == 0 else None

    def incomplete(self, commit: str) -> str:
        """Return in words what of a commit does not come with it, submodules and LFS; an empty string for nothing."""
        if self.call("cat-file", "-e", commit + ":.gitmodules", ok=None, timeout=60).code == 0:
            words = ("config", "--blob", commit + ":.gitmodules", "--get-regexp", r"^submodule\..*\.path$")
            paths = [line.partition(" ")[2] for line in self.call(*words, ok=None, timeout=60).out.splitlines()]
            return "has submodules (%s), which are not fetched" % (listed([printable(each) for each in paths]) or "?")
        tracked = ("grep", "--quiet", "-F", "-e", "filter=lfs", commit, "--", ":(glob)**/.gitattributes")
        if self.call(*tracked, ok=None, timeout=120).code != 0:
            return ""
        done = self.call("grep", "-l", "-z", "-F", "-e", _POINTER, commit, "--", ok=None, timeout=600)
        paths = [name.partition(":")[2] for name in done.out.split("\0") if name]
        pointers = [printable(each) for each in paths if str(self.content(commit, each, 200)).startswith(_POINTER)]
        return "keeps files in Git LFS (%s), of which only pointers are fetched" % listed(pointers) if pointers else ""

    def branch(self) -> str:
        """Return the branch that is checked out, an empty string when none is."""
        return self.call("symbolic-ref", "--quiet", "--short", "HEAD", ok=None, timeout=60).out.strip()


def _git(
    actor: Actor, words: Sequence[str], timeout: float, ok: Sequence[int] | None, env: dict[str, str], cwd: str = "/"
) -> Completed:
    options = [word for name, value in _OPTIONS for word in ("-c", name + "=" + value)]
    return actor.run(["git", *options, *words], timeout=timeout, env=env, cwd=cwd, ok=ok)


def resolve(actor: Actor, repository: str, ref: str, mirror: Git | None, timeout: float) -> Resolved:
    """Return what a ref means at a remote, by asking it; nothing is fetched.

    mirror: where the beginning of a hash is looked up, if there is one.
    """
    if is_hex(ref, 40):
        return Resolved(commit=ref, kind=COMMIT)
    full = ref if ref.startswith("refs/") else ""
    asked = [full, full + "^{}"] if full else ["refs/heads/" + ref, "refs/tags/" + ref, "refs/tags/" + ref + "^{}"]
    try:
        done = _git(actor, ["ls-remote", "--quiet", "--", repository, *asked], timeout, None, _ENV)
    except TaskError as error:
        return Resolved(problem="the remote repository cannot be read: %s" % error)
    if done.code:
        return Resolved(problem="the remote repository cannot be read: %s" % said(done))
    found = parse_ls_remote(done.out, ref)
    if found.problem and is_hex(ref) and mirror is not None:
        commit = mirror.commit_of(ref)
        if commit:
            return Resolved(commit=commit, kind=COMMIT)
    if found.problem and is_hex(ref):
        return Resolved(problem="%s; of a commit give all 40 digits" % found.problem)
    return found


def parse_ls_remote(text: str, ref: str) -> Resolved:
    """Return what a ref means by the rows of `git ls-remote`; of an annotated tag, the commit it stands for."""
    rows = {}
    for line in text.splitlines():
        commit, tab, name = line.partition("\t")
        if tab and is_hex(commit, 40):
            rows[name] = commit
    wanted = (ref,) if ref.startswith("refs/") else ("refs/heads/" + ref, "refs/tags/" + ref)
    found = [name for name in wanted if name in rows]
    if not found:
        return Resolved(problem="the remote repository has no branch and no tag called %s" % ref)
    if len(found) > 1:
        return Resolved(problem="%s is both a branch and a tag; write %s or %s" % (ref, *found))
    name = found[0]
    return Resolved(commit=rows.get(name + "^{}", rows[name]), kind=TAG if name.startswith("refs/tags/") else BRANCH)


def rewritten(ref: str, old: str, new: str) -> str:
    """Return what to say of a ref that no longer leads on from what was deployed of it."""
    words = (
        "%s was rewritten (a forced push, or a tag that moved): %s was deployed from it and is not in the history of %s"
    )
    return words % (ref, old[:12], new[:12]) + "; if that is meant, give allow_rewritten: true"
