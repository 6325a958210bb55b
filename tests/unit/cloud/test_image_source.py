"""The files of a commit are exactly those, with the modes of git, and the repository is left as it was."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from opslib.cloud.images.source import Source
from opslib.host.task import TaskError


def git(folder, *words):
    line = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "api" / "deep").mkdir(parents=True)
    (folder / "api" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "api" / "deep" / "ä $(x)\n").write_text("odd")
    (folder / "api" / "link").symlink_to("/etc/passwd")
    (folder / "api" / "run").write_text("#!/bin/sh\n")
    (folder / "api" / "run").chmod(0o700)
    (folder / "elsewhere").write_text("not part of it")
    (folder / ".gitattributes").write_text("* -export-subst\nrun export-ignore\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def state(folder):
    """Return all files of the git folder, with contents."""
    return {path: path.read_bytes() for path in sorted((folder / ".git").rglob("*")) if path.is_file()}


def exported(repository, tmp_path, commit="HEAD"):
    source, place = Source(str(repository / "api")), tmp_path / "place"
    place.mkdir()
    source.export(source.commit(commit), str(place))
    return {str(path.relative_to(place)): path for path in place.rglob("*")}


def test_only_what_is_committed_comes_with_the_modes_of_git(repository, tmp_path):
    (repository / "api" / "untracked").write_text("secret")
    (repository / "api" / "Dockerfile").write_text("changed, not committed")
    git(repository, "add", "api/Dockerfile")
    before = state(repository)
    old = os.umask(0o077)
    try:
        found = exported(repository, tmp_path)
    finally:
        os.umask(old)
    assert sorted(found) == ["Dockerfile", "deep", "deep/ä $(x)\n", "link", "run"]
    assert found["Dockerfile"].read_text() == "FROM scratch\n"
    assert {name: stat.S_IMODE(path.lstat().st_mode) for name, path in found.items() if name != "link"} == {
        "Dockerfile": 0o644,
        "deep": 0o755,
        "deep/ä $(x)\n": 0o644,
        "run": 0o755,
    }
    assert os.readlink(found["link"]) == "/etc/passwd"
    assert state(repository) == before
    assert sorted(os.listdir(tmp_path)) == ["place", "repository"]
    assert Source(str(repository / "api")).changes() == 2


def test_an_older_commit_and_a_whole_repository(repository, tmp_path):
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "-rq", "api/deep")
    git(repository, "commit", "-qm", "second")
    assert "deep" in exported(repository, tmp_path, first)
    source = Source(str(repository))
    assert (source.prefix(), source.commit("main"), source.changes()) == ("", git(repository, "rev-parse", "main"), 0)


def test_what_is_missing_is_told(repository, tmp_path):
    source = Source(str(repository / "api"))
    for text in ("nosuch", "--help", "HEAD:api", "x\x1b[2J"):
        with pytest.raises(TaskError, match="has no commit") as caught:
            source.commit(text)
        assert str(caught.value).isprintable()
    with pytest.raises(TaskError, match="not a git repository"):
        Source(str(tmp_path)).commit("HEAD")
    (repository / "new").mkdir()
    with pytest.raises(TaskError, match="has no folder new/"):
        Source(str(repository / "new")).export(source.commit("HEAD"), str(tmp_path / "place"))


def test_nothing_that_the_repository_says_is_run(repository, tmp_path):
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "post-index-change").symlink_to(trap)
    exported(repository, tmp_path)
    Source(str(repository)).changes()
    assert not (tmp_path / "sprung").exists()
