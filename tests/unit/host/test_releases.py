"""Deployments and rollbacks: what comes into place, what comes back, and what is never touched."""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host.files.private import ASIDE
from opslib.host.params import ParamError
from opslib.host.releases import actor as users
from opslib.host.releases import git as repositories
from opslib.host.releases import ground as grounds
from opslib.host.releases import records
from opslib.host.releases import unit_file as unit_files
from opslib.host.releases.application import State
from opslib.host.releases.checkout import Checkout
from opslib.host.releases.folders import Folders
from opslib.host.releases.git import Git, Resolved
from opslib.host.releases.ground import Ground, Served
from opslib.host.releases.kinds import Inside, Place, Program, Ref, Repository
from opslib.host.releases.records import Book, Pending
from opslib.host.releases.serving import Serving
from opslib.host.task import TaskError
from opslib.host.tasks.deploy import Deploy
from opslib.host.tasks.releases import Releases
from opslib.host.tasks.rollback import Rollback
from opslib.host.units import hold, systemd
from opslib.host.worker import run_step

STRATEGIES = ("releases", "in_place")
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
TASKS = {"deploy": Deploy, "rollback": Rollback, "releases": Releases}
PYTHON = """#!/bin/sh
# Stands for Python: makes "environments" with a list of "packages", at once.
for last; do :; done
here=$(dirname "$0")
case "$2 $3" in
venv*) rm -rf "$last"; mkdir -p "$last/bin" && cp "$0" "$last/bin/python" && echo pip==1 > "$last/packages" ;;
"pip install")
    case "$last" in
    */*) cp "$last" "$here/../packages" && ! grep missing "$last" >&2 ;;
    *) echo "$last" > "$here/../packages" ;;
    esac ;;
"pip check") ! grep -h conflict "$here/../packages" >&2 ;;
"pip freeze") cat "$here/../packages" ;;
*) exec python3 "$@" ;;
esac
"""


class Source:
    """The repository that is deployed from."""

    def __init__(self, path):
        self.path = path

    @classmethod
    def make(cls, path):
        path.mkdir()
        found = cls(path)
        found.git("init", "-q", "-b", "main", "--template=")
        return found

    def git(self, *words):
        people = {"GIT_%s_%s" % (who, what): "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", **people)
        done = subprocess.run(["git", *words], cwd=str(self.path), env=env, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    def release(self, tag, text, requirements="demo==1\n", *more):
        """Commit a release with a tag, and return its commit."""
        (self.path / "app.txt").write_text(text)
        (self.path / "requirements.txt").write_text(requirements)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        self.git("tag", *more, tag)
        return self.git("rev-parse", "HEAD")


class Site:
    """A host's application, as tests see it: plainly, by its files."""

    def __init__(self, folder, strategy, python):
        self.folder, self.strategy, self.python = folder, strategy, str(python)
        self.path = folder / "srv"
        self.records = folder / "records"
        self.source = Source(folder / "source")
        self.commits = {tag: self.source.git("rev-parse", tag) for tag in ("v1", "v2")}

    def run(self, name, check=False, **args):
        given = {"app": "demo", "path": str(self.path), "strategy": self.strategy, "records": str(self.records)}
        if name != "releases":
            given["python"] = self.python
        if name == "deploy":
            given["repository"] = str(self.source.path)
        return run_step(TASKS[name], dict(given, **args), check)

    def deploy(self, ref, **args):
        return self.run("deploy", ref=ref, **args)

    def good(self, name, **args):
        result = self.run(name, **args)
        assert result["error"] is None, result
        return result

    @property
    def code(self):
        return self.path if self.strategy == "in_place" else self.path / "current"

    def serves(self):
        """What is in place: its text, and its packages."""
        if not (self.code / "app.txt").exists():
            return None
        return (self.code / "app.txt").read_text(), (self.code / "venv" / "packages").read_text()

    def history(self):
        lines = (self.records / "demo" / "history.jsonl").read_text().splitlines()
        return [(row["act"], row["ref"], row["outcome"]) for row in map(json.loads, lines)]

    def is_tidy(self):
        """Nothing unfinished lies about."""
        names = {path.name for path in (self.records / "demo").iterdir() if path.suffix != ASIDE}
        assert names <= {"built", "history.jsonl", "lock", "units"}
        found = [path for path in self.path.rglob("*") if path.name.endswith((".lock", ".partial", ".broken", ASIDE))]
        assert found == []
        if self.strategy == "releases":
            complete = {path.name for path in (self.records / "demo" / "built").iterdir()}
            assert {path.name for path in (self.path / "releases").iterdir()} == complete
        return True


V1, V2 = ("good 1", "demo==1\n"), ("good 2", "demo==2\n")


@pytest.fixture(scope="session", autouse=True)
def quick():
    """Nothing here survives a power cut anyway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        patch.setattr(grounds.Ground, "sync", lambda self: None)
        yield


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Folders to copy: a new site, and one for each strategy where v1 is deployed."""
    top = tmp_path_factory.mktemp("sites")
    (top / "new").mkdir()
    (top / "python").write_text(PYTHON)
    (top / "python").chmod(0o755)
    source = Source.make(top / "new" / "source")
    source.release("v1", "good 1")
    (source.path / "only in v2").write_text("new\n")
    source.release("v2", "good 2", "demo==2\n")
    for strategy in STRATEGIES:
        copy(top / "new", top / strategy)
        Site(top / strategy, strategy, top / "python").good("deploy", ref="v1")
    return top


def copy(source, target):
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.fixture
def new_site(templates, tmp_path):
    """Makes new sites."""

    def make(strategy, name="site"):
        copy(templates / "new", tmp_path / name)
        return Site(tmp_path / name, strategy, templates / "python")

    return make


@pytest.fixture(params=STRATEGIES)
def site(request, new_site):
    return new_site(request.param)


@pytest.fixture
def folders(new_site):
    """A site with the strategy `releases`, for what has nothing to do with the strategy."""
    return new_site("releases")


@pytest.fixture
def checkout(new_site):
    """A site with the strategy `in_place`."""
    return new_site("in_place")


def tree(folder):
    """Every file with its size and times; git may look a file up, which changes none of them."""
    rows = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        rows[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return rows


# --- kinds of parameter


@pytest.mark.parametrize(
    "value",
    [
        "https://git.example.com/team/app.git",
        "ssh://git@git.example.com:2222/team/app.git",
        "git@git.example.com:team/app.git",
        "git.example.com:app",
        "/srv/git/app.git",
        "file:///srv/git/app.git",
    ],
)
def test_repositories(value):
    assert Repository()(value) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("https://me:hunter2@git.example.com/app", "SSH key"),
        ("https://ghp_token@git.example.com/app", "SSH key"),
        ("ssh://me:hunter2@git.example.com/app", "SSH key"),
        ("me:hunter2@git.example.com:app", "password"),
        ("ext::sh -c id", "begin with|remote helpers"),
        ("ext::sh", "remote helpers"),
        ("fd::17", "remote helpers"),
        ("--upload-pack=id", "begin"),
        ("-oProxyCommand=id:x", "begin"),
        ("ssh://-oProxyCommand=id/x", "no host"),
        ("git@-oProxyCommand=id:x", "give https"),
        ("git@host:-x", "give https"),
        ("http://git.example.com/app", "not encrypted"),
        ("git://git.example.com/app", "not encrypted"),
        ("file://host/app", "absolute path"),
        ("app", "give https"),
        ("../app", "give https"),
        ("/srv/../etc", r"\.\."),
        ("https:///app", "no host"),
        ("", "empty"),
        ("a b:c", "blanks"),
    ],
)
def test_repositories_that_are_refused(value, words):
    with pytest.raises(ParamError, match=words) as caught:
        Repository()(value)
    assert "hunter2" not in str(caught.value)
    assert "ghp_token" not in str(caught.value)


@pytest.mark.parametrize("value", ["main", "v1.2.0", "release/2025-01", "refs/tags/v1", "0" * 40, "feature_x", "grün"])
def test_refs(value):
    assert Ref()(value) == value


BAD_REFS = ["-x", "--upload-pack=id", "a..b", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b", "a b", "@", "a@{1}"]


@pytest.mark.parametrize(
    "value", [*BAD_REFS, "a.lock", "a/b.lock/c", ".a", "a/.b", "a//b", "/a", "a/", "a.", "x" * 256]
)
def test_refs_that_are_refused(value):
    with pytest.raises(ParamError):
        Ref()(value)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_a_ref_is_never_an_option_or_an_expression(text):
    try:
        ref = Ref()(text)
    except ParamError:
        return
    assert not ref.startswith("-")
    assert not set(ref) & set("~^: ?*[\\\n\0\x1b")
    assert Ref()(ref) == ref


def test_other_kinds():
    assert Inside()("./a//b/") == "a/b"
    assert Program()("python3.11") == "python3.11"
    assert Place()("https://pypi.example.com/simple") == "https://pypi.example.com/simple"
    for kind, value in [
        (Inside(), "/etc"),
        (Inside(), "a/../../b"),
        (Inside(), ".git/config"),
        (Inside(), "-x"),
        (Program(), "-c"),
        (Program(), "a b"),
        (Program(), "/usr/../bin/x"),
        (Place(), "https://me:hunter2@host/x"),
        (Place(), "http://host/x"),
        (Place(), "--index-url=x"),
    ]:
        with pytest.raises(ParamError) as caught:
            kind(value)
        assert "hunter2" not in str(caught.value)


GOOD = {"app": "demo", "path": "/srv/demo", "repository": "/srv/git", "ref": "main"}
NUMBERS = [-1, "many", [], {}, "1 parsec", float("nan")]
BAD = {
    "app": [*HOSTILE, [], {}, "a/b", "x" * 65],
    "path": [*HOSTILE, "srv", "/srv/../etc", "/", 7, []],
    "strategy": [*HOSTILE, "both", 1],
    "unit": [*HOSTILE, [], "a b"],
    "port": [*HOSTILE, 0, 65536, "http"],
    "http": [*HOSTILE, "ftp://x", {"url": "http://x", "wait": 5}, []],
    "settle": [*HOSTILE, *NUMBERS],
    "start_timeout": [*HOSTILE, *NUMBERS, 0],
    "watch": [*HOSTILE, *NUMBERS],
    "env_file": [*HOSTILE, "x.env", []],
    "migrate": [["a\nb"], ["a\0b"], [""], ["\udcff\x1b"], ["x" * 70000], ["x"] * 101, 7, {}, [[]]],
    "migrate_down": [["a\nb"], ["a\0b"], [""], ["x" * 70000], 7, {}],
    "user": [*HOSTILE, "a b", "x" * 33, []],
    "subfolder": ["-x", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "x" * 70000, "/etc", ".git", []],
    "venv": ["-x", "../x", "a\nb", "a\0b", "", ".", "/etc", ".git", []],
    "python": [*HOSTILE, "a b", "bin/python", []],
    "find_links": [*HOSTILE, "wheels", "ftp://x", []],
    "index_url": [*HOSTILE, "ftp://x", "https://a:b@c/", []],
    "no_index": ["maybe", 2, [], "x" * 70000],
    "timeout": [*HOSTILE, *NUMBERS, 0],
    "records": [*HOSTILE, "x", []],
    "repository": [*HOSTILE, "app", "https://a:b@c/d", []],
    "ref": [*HOSTILE[:1], *HOSTILE[2:], "a..b", []],
    "requirements": ["-x", "../x", "a\nb", "a\0b", "", "/etc/passwd", []],
    "keep": [*HOSTILE, 0, 101, 1.5, []],
    "allow_rewritten": ["maybe", 2, []],
    "unit_file": ["-x", "../x", "a\nb", "a\0b", "", "/etc/passwd", ".git/config", []],
    "commit": [*HOSTILE, "main", "0" * 39, "A" * 40, []],
    "pinned": ["maybe", 2, []],
    "to": [*HOSTILE[:1], *HOSTILE[2:], "a..b", []],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_by_name(name):
    task = Rollback if name == "to" else Deploy
    base = {key: value for key, value in GOOD.items() if task is Deploy or key in ("app", "path")}
    for value in BAD[name]:
        with pytest.raises(ParamError, match=name):
            task(**dict(base, **{name: value}))


def test_every_parameter_has_bad_values():
    assert set(BAD) == {*Deploy.parameters(), *Rollback.parameters(), *Releases.parameters()}


@pytest.mark.parametrize(
    "args",
    [
        {"port": 80},
        {"no_index": True},
        {"migrate_down": ["true"]},
        {"unit_file": "demo.service"},
        {"ref": "0" * 40, "commit": "1" * 40},
    ],
)
def test_contradictions(args):
    with pytest.raises(ParamError):
        Deploy(**dict(GOOD, **args))


def test_secrets_of_the_health_check_are_hidden():
    http = {"url": "http://127.0.0.1:1/", "request_headers": {"Authorization": "Bearer hush-hush"}}
    task = Deploy(**dict(GOOD, http=http))
    assert "hush-hush" in set(task.secrets())
    assert "hush" not in repr(task)


# --- reading what git says

LS_REMOTE = """af5626b4a114abcb82d63db7c8082c3c4756e51b\trefs/heads/main
7217a7c7e582c46cec22a130adf4b9d7d950fba0\trefs/tags/v1
92bd2e4c5d8a1d2cb1ba1e4a7e1dbc8a86e5c1a0\trefs/tags/v2
18a3c1b0e3b6ee1fbc0cf8ed5b0bb7e7b1e0a1d2\trefs/tags/v2^{}
18a3c1b0e3b6ee1fbc0cf8ed5b0bb7e7b1e0a1d2\trefs/heads/v2
warning: something else
"""


@pytest.mark.parametrize(
    ("ref", "commit", "kind"),
    [
        ("main", "af5626b4a114abcb82d63db7c8082c3c4756e51b", "branch"),
        ("refs/heads/main", "af5626b4a114abcb82d63db7c8082c3c4756e51b", "branch"),
        ("v1", "7217a7c7e582c46cec22a130adf4b9d7d950fba0", "tag"),
        ("refs/tags/v2", "18a3c1b0e3b6ee1fbc0cf8ed5b0bb7e7b1e0a1d2", "tag"),
        ("refs/heads/v2", "18a3c1b0e3b6ee1fbc0cf8ed5b0bb7e7b1e0a1d2", "branch"),
    ],
)
def test_what_a_ref_means(ref, commit, kind):
    found = repositories.parse_ls_remote(LS_REMOTE, ref)
    assert (found.commit, found.kind, found.problem) == (commit, kind, "")


def test_what_a_ref_does_not_mean():
    assert "no branch and no tag called nowhere" in repositories.parse_ls_remote(LS_REMOTE, "nowhere").problem
    assert "both a branch and a tag" in repositories.parse_ls_remote(LS_REMOTE, "v2").problem
    assert repositories.parse_ls_remote("", "main").commit == ""


@given(st.text(max_size=300), st.sampled_from(["main", "v1", "refs/tags/v1"]))
def test_whatever_a_remote_says_a_commit_is_a_hash(text, ref):
    commit = repositories.parse_ls_remote(text, ref).commit
    assert commit == "" or (len(commit) == 40 and set(commit) <= set("0123456789abcdef"))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["git", "-c", "a=b", "--git-dir=/x", "fetch", "--quiet", "--", "url"], "git fetch"),
        (["/srv/venv/bin/python", "-m", "pip", "install", "-r", "x"], "python -m pip install"),
        (["rm", "-rf", "--", "/x"], "rm"),
        (["./migrate\x1b", "up"], "migrate\\x1b up"),
    ],
)
def test_commands_as_people_say_them(argv, words):
    assert users.short(argv) == words


# --- the book


def test_history_survives_torn_lines_and_stays_short(tmp_path, monkeypatch):
    book = Book(str(tmp_path / "book"))
    book.lock()
    monkeypatch.setattr(records, "MOST_LINES", 5)
    for number in range(8):
        book.append({"id": "%d" % number, "commit": "c", "outcome": "good"})
    path = tmp_path / "book" / "history.jsonl"
    assert [row["id"] for row in book.history()] == ["3", "4", "5", "6", "7"]
    path.write_text(path.read_text() + '[]\n{"id": 5}\n{"id": "x", "comm')
    assert len(book.history()) == 5
    book.append({"id": "9", "commit": "c", "outcome": "good"})
    assert book.history()[-1]["id"] == "9"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o007 == 0


def test_lock_is_free_when_its_holder_dies(tmp_path):
    book = Book(str(tmp_path / "book"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        Book(str(tmp_path / "book")).lock()
        os.write(writer, b"x")
        os.kill(os.getpid(), 19)
    os.read(reader, 1)
    try:
        assert "process %d" % pid in book.holder()
        with pytest.raises(TaskError, match="process %d" % pid):
            book.lock()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert book.holder() == ""
    book.lock()
    book.unlock()


def test_pending_that_cannot_be_understood(tmp_path):
    book = Book(str(tmp_path))
    for text in ('{"what": 1}', "{cut", "[]", "null"):
        (tmp_path / "pending").write_text(text)
        with pytest.raises(TaskError, match="cannot be understood"):
            book.pending()


# --- deploying and going back


def test_from_release_to_release_and_back(site):
    before = tree(site.folder)
    planned = site.good("deploy", ref="v1", check=True)
    assert planned["status"] == "changed"
    assert tree(site.folder) == before
    assert site.good("deploy", ref="v1")["status"] == "changed"
    assert site.serves() == V1
    before = tree(site.folder)
    again = site.good("deploy", ref="v1")
    assert again["status"] == "ok"
    assert "v1 (%s) is deployed already" % site.commits["v1"][:12] in again["reason"]
    assert tree(site.folder) == before
    assert site.good("deploy", ref="v2", check=True)["status"] == "changed"
    assert tree(site.folder) == before
    second = site.good("deploy", ref="v2")
    assert site.serves() == V2
    assert second["data"]["packages"] == ["demo==2"]
    assert second["data"]["commit"] == site.commits["v2"]
    before = tree(site.folder)
    assert site.good("rollback", check=True)["status"] == "changed"
    assert tree(site.folder) == before
    assert site.good("rollback")["status"] == "changed"
    assert site.serves() == V1
    for _ in range(2):
        back = site.good("rollback")
        assert back["status"] == "ok"
        assert "nothing to take back: v1" in back["reason"]
    assert site.good("rollback", to=site.commits["v2"][:9])["status"] == "changed"
    assert site.serves() == V2
    assert "v2" in site.good("releases")["reason"]
    assert [row[2] for row in site.history()] == ["good"] * 4
    assert site.is_tidy()


@pytest.mark.parametrize("site", ["in_place"], indirect=True)
def test_every_way_to_name_a_commit(site):
    site.source.git("tag", "-a", "-m", "annotated", "annotated", "v1")
    for ref in ("annotated", site.commits["v1"], "refs/tags/v1"):
        assert site.good("deploy", ref=ref)["data"]["commit"] == site.commits["v1"]
    assert site.good("deploy", ref=site.commits["v1"][:8])["status"] == "ok"
    assert site.good("deploy", ref="main")["data"]["commit"] == site.commits["v2"]
    if site.strategy == "in_place":
        git = ["git", "-C", str(site.path), "symbolic-ref", "--short", "HEAD"]
        assert subprocess.run(git, stdout=subprocess.PIPE, check=True).stdout.decode().strip() == "main"


def test_release_that_is_still_there_is_not_built_again(folders):
    for ref in ("v1", "v2"):
        folders.good("deploy", ref=ref)
    folders.good("rollback")
    inode = {path.name: path.stat().st_ino for path in (folders.path / "releases").iterdir()}
    result = folders.good("deploy", ref="v2")
    assert not any("build release" in change["summary"] for change in result["changes"])
    assert folders.serves() == V2
    assert {path.name: path.stat().st_ino for path in (folders.path / "releases").iterdir()} == inode


def test_old_releases_go(site):
    for number in range(3, 6):
        site.source.release("v%d" % number, "good %d" % number)
    for ref in ("v1", "v2", "v3", "v4"):
        result = site.good("deploy", ref=ref, keep=2)
    # In place, the environment of the current release is not among those that are kept aside.
    assert len(result["data"]["kept"]) == (2 if site.strategy == "releases" else 1)
    assert site.good("rollback")["status"] == "changed"
    assert site.serves()[0] == "good 3"
    words = site.run("rollback", to="v1")["error"]
    if site.strategy == "releases":
        assert "v1" in words
        assert "no longer on this host" in words
        assert "deploy v1 instead" in words
        assert site.serves()[0] == "good 3"
    else:  # built anew from the packages that were recorded
        assert words is None
        assert site.serves() == V1


def test_checkout_that_was_there_before(checkout):
    site = checkout
    subprocess.run(["git", "clone", "-q", "-b", "v1", str(site.source.path), str(site.path)], check=True, stderr=-3)
    subprocess.run([site.python, "-m", "venv", str(site.path / "venv")], check=True)
    assert site.good("deploy", ref="v2")["status"] == "changed"
    assert site.serves() == V2
    assert site.history() == [("found", "", "found"), ("deploy", "v2", "good")]
    assert site.good("rollback")["status"] == "changed"
    assert site.serves() == ("good 1", "pip==1\n")


@pytest.mark.parametrize("site", ["releases"], indirect=True)
def test_application_in_a_subfolder(site):
    (site.source.path / "service").mkdir()
    (site.source.path / "service" / "needs.txt").write_text("sub==1\n")
    site.source.release("v3", "good 3")
    site.good("deploy", ref="v3", subfolder="service", requirements="needs.txt", venv=".venv")
    assert (site.code / "service" / ".venv" / "packages").read_text() == "sub==1\n"
    words = site.deploy("v2", subfolder="service", requirements="needs.txt", venv=".venv")["error"]
    assert ("has no folder service" if site.strategy == "releases" else "has no needs.txt") in words
    assert site.code.joinpath("app.txt").read_text() == "good 3"


# --- what can go wrong, and what serves then


@pytest.fixture(params=STRATEGIES)
def at_v1(request, templates, tmp_path):
    copy(templates / request.param, tmp_path / "site")
    return Site(tmp_path / "site", request.param, templates / "python")


def fails(site, ref="bad", serves=V1, **args):
    """Deploy what fails; return what is said. What served before serves still, and nothing lies about."""
    result = site.deploy(ref, **args)
    assert result["status"] == "failed"
    assert site.serves() == serves
    assert site.is_tidy()
    return result["error"]


def test_missing_ref(at_v1):
    before = tree(at_v1.folder)
    assert "has no branch and no tag called nowhere" in fails(at_v1, "nowhere")
    assert tree(at_v1.folder) == before
    words = fails(at_v1, "0" * 40)
    assert "has no commit 000000000000" in words


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_a_release_that_is_kept_outlives_a_deployment_of_it_that_fails(at_v1, monkeypatch):
    """Whether it fails before the switch or after it: another run built it, and the way back may lead to it."""
    at_v1.good("deploy", ref="v2")
    (kept,) = (path for path in (at_v1.path / "releases").iterdir() if (path / "app.txt").read_text() == "good 1")
    with monkeypatch.context() as patch:
        patch.setattr(Git, "fetch", lambda git, repository: git.call("fetch", "--", "/nowhere"))
        assert "git fetch failed" in fails(at_v1, "v1", V2)
    assert kept.is_dir()
    migrate = migration(at_v1, "exit 3\n")
    assert "migration up failed" in fails(at_v1, "v1", V2, migrate=migrate)
    with monkeypatch.context() as patch:
        answers = iter([False, True])  # that which is deployed does not, what served before does
        patch.setattr(Serving, "begin", lambda serving: next(answers) or stopped("it does not answer"))
        assert "it does not answer; v2" in fails(at_v1, "v1", V2)
    assert kept.is_dir()
    assert at_v1.good("deploy", ref="v1")["status"] == "changed"
    assert os.path.realpath(str(at_v1.code)) == str(kept)


def test_a_link_of_somebody_else_comes_back_with_what_served(folders, monkeypatch):
    by_hand = folders.path / "by-hand"
    by_hand.mkdir(parents=True)
    (folders.path / "current").symlink_to("by-hand")
    answers = iter([False, True])
    monkeypatch.setattr(Serving, "begin", lambda serving: next(answers) or stopped("it does not answer"))
    result = folders.deploy("v1")
    assert (result["status"], result["error"].partition("failed: ")[2]) == (
        "failed",
        "it does not answer; by-hand serves again",
    )
    assert os.readlink(str(folders.path / "current")) == "by-hand"
    assert folders.run("releases")["warnings"] == [
        "%s/current leads to by-hand, which is no release" % folders.path,
    ]


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_a_release_whose_folder_is_gone_serves_no_more(at_v1):
    served = pathlib.Path(os.path.realpath(str(at_v1.code)))
    shutil.rmtree(str(served))
    result = at_v1.run("releases")
    assert result["data"]["release"] == ""
    assert result["warnings"][0].endswith("releases/%s, which is not there any more" % served.name)
    assert at_v1.good("deploy", ref="v1")["status"] == "changed"
    assert at_v1.serves() == V1


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_ambiguous_ref(at_v1):
    at_v1.source.git("branch", "v2")
    assert "both a branch and a tag" in fails(at_v1, "v2")


def test_remote_that_cannot_be_read(at_v1):
    before = tree(at_v1.path)
    at_v1.source.path.rename(at_v1.folder / "away")
    assert "the remote repository cannot be read" in fails(at_v1, "v2")
    assert tree(at_v1.path) == before
    assert at_v1.good("deploy", ref=at_v1.commits["v1"])["status"] == "ok"


def test_branch_that_was_pushed_over(at_v1):
    at_v1.good("deploy", ref="main")
    at_v1.source.git("reset", "-q", "--hard", "v1")
    at_v1.source.release("v9", "good 9", "demo==9\n")
    words = fails(at_v1, "main", V2)
    assert "main was rewritten" in words
    assert "allow_rewritten: true" in words
    assert at_v1.good("deploy", ref="main", allow_rewritten=True)["status"] == "changed"
    assert at_v1.serves()[0] == "good 9"
    assert at_v1.good("rollback")["status"] == "changed"
    assert at_v1.serves() == V2


@pytest.mark.parametrize("at_v1", ["in_place"], indirect=True)
def test_tag_that_moved(at_v1):
    at_v1.source.git("tag", "-f", "v1", "v2")
    before = tree(at_v1.folder)
    assert "v1 was rewritten (a forced push, or a tag that moved)" in fails(at_v1, "v1")
    assert tree(at_v1.folder) == before


@pytest.mark.parametrize(
    ("requirements", "words"), [("half==1\nmissing==2\n", "missing==2"), ("conflict==1\n", "pip check failed")]
)
def test_packages_that_cannot_be_installed(at_v1, requirements, words):
    at_v1.source.release("bad", "bad", requirements)
    said = fails(at_v1)
    assert words in said
    assert "v1 (%s)" % at_v1.commits["v1"][:12] in said
    assert at_v1.history()[-1] == ("deploy", "bad", "failed")
    assert at_v1.good("deploy", ref="v2")["status"] == "changed"


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_requirements_that_must_be_there(at_v1):
    assert "has no needs.txt" in fails(at_v1, "v2", requirements="needs.txt")


def stopped(words):
    raise TaskError(words)


def migration(site, text):
    path = site.folder / "migration"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return [str(path), "up"]


@pytest.mark.parametrize("site", ["releases"], indirect=True)
def test_migration_gets_the_environment_of_the_service(site):
    (site.folder / "env").write_text('TOKEN="hush hush"\nLD_PRELOAD=/nowhere.so\n')
    command = migration(site, 'echo "$PWD $TOKEN $VIRTUAL_ENV $LD_PRELOAD." > %s/said\n' % site.folder)
    site.good("deploy", ref="v1", migrate=command, env_file=str(site.folder / "env"))
    folder = os.path.realpath(str(site.code))
    assert (site.folder / "said").read_text() == "%s hush hush %s/venv .\n" % (folder, folder)


def test_migration_that_fails(at_v1):
    (at_v1.folder / "env").write_text("TOKEN=hush-hush\n")
    command = migration(at_v1, 'echo "column $TOKEN exists" >&2\nexit 3\n')
    words = fails(at_v1, "v2", migrate=command, env_file=str(at_v1.folder / "env"), migrate_down=["false"])
    assert "migration up failed with exit code 3: column *** exists" in words
    assert "the schema may have been changed in part" in words
    assert "hush" not in words + (at_v1.records / "demo" / "history.jsonl").read_text()


def test_what_cannot_be_recorded_is_not_deployed(at_v1, monkeypatch):
    def full(self, row):
        raise OSError(28, "No space left on device", "history.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr(Book, "append", full)
        result = at_v1.deploy("v2")
    assert "No space left on device: history.jsonl; v1 (%s) serves again" % at_v1.commits["v1"][:12] in result["error"]
    assert result["data"]["notes"] == ["this could not be recorded: No space left on device"]
    assert at_v1.serves() == V1
    assert at_v1.is_tidy()
    assert at_v1.good("deploy", ref="v2")["status"] == "changed"


@pytest.fixture
def health(site):
    """An answer that depends on what is in place."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            serves = site.serves()
            self.send_response(200 if serves and serves[0].startswith("good") else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield {"http": "http://127.0.0.1:%d/health" % server.server_address[1], "start_timeout": 0.1}
    server.shutdown()
    thread.join()
    server.server_close()


def test_release_that_does_not_work(site, health):
    site.source.release("bad", "bad", "demo==bad\n")
    log = site.folder / "log"
    up = migration(site, 'echo "$1 $(cat app.txt)" >> %s\n' % log)
    site.good("deploy", ref="v1", migrate=up, **health)
    words = fails(site, migrate=up, **health)
    assert "it answered 500" in words
    assert "v1 (%s) serves again" % site.commits["v1"][:12] in words
    assert "the schema stays as it is now: no migrate_down was given" in words
    assert log.read_text() == "up good 1\nup bad\n"
    back = site.good("rollback")
    assert back["status"] == "ok"
    assert "since the deployment of bad" in back["reason"]
    words = fails(site, migrate=up, migrate_down=[up[0], "down"], **health)
    assert "the schema was taken back" in words
    assert log.read_text().splitlines()[2:] == ["up bad", "down bad"]


def test_first_release_that_does_not_work(site, health):
    site.source.release("bad", "bad")
    words = site.deploy("bad", **health)["error"]
    assert "there is no earlier release, so nothing serves" in words
    if site.strategy == "releases":
        assert site.serves() is None
    assert site.good("deploy", ref="v1", **health)["status"] == "changed"
    assert site.serves() == V1


def test_rollback_that_does_not_work(site, health):
    site.source.release("bad", "bad", "demo==bad\n")
    site.good("deploy", ref="bad")
    site.good("deploy", ref="v2", **health)
    log = site.folder / "log"
    command = migration(site, 'echo "$1 $(cat app.txt)" >> %s\n' % log)
    result = site.run("rollback", migrate=command, migrate_down=[command[0], "down"], **health)
    assert "it answered 500" in result["error"]
    assert "v2 (%s) serves again" % site.commits["v2"][:12] in result["error"]
    assert site.serves() == V2
    assert log.read_text() == "down good 2\nup good 2\n"


@pytest.mark.parametrize("site", ["in_place"], indirect=True)
def test_earlier_release_that_does_not_work_either(site, health):
    site.source.release("bad", "bad")
    site.source.release("worse", "worse")
    site.good("deploy", ref="bad")
    words = site.deploy("worse", **health)["error"]
    assert "bad (" in words
    assert "was put back, but it does not work either" in words
    assert site.serves()[0] == "bad"


def test_dirty_checkout(checkout):
    site = checkout
    site.good("deploy", ref="v1")
    (site.path / "app.txt").write_text("mended by hand")
    before = tree(site.folder)
    for name in ("deploy", "rollback", "releases"):
        words = site.run(name, **({"ref": "v2"} if name == "deploy" else {}))["error"]
        assert "has local changes (app.txt)" in words
    assert tree(site.folder) == before


def test_commits_that_are_nowhere_else(checkout):
    site = checkout
    site.good("deploy", ref="v1")
    git = ["git", "-C", str(site.path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "by hand"], check=True)
    assert "has 1 commits that are nowhere else" in site.deploy("v2")["error"]


def test_commit_that_was_checked_out_by_hand(checkout):
    site = checkout
    site.good("deploy", ref="v1")
    site.good("deploy", ref="v2")
    subprocess.run(["git", "-C", str(site.path), "checkout", "-q", "--detach", site.commits["v1"]], check=True)
    assert "was checked out by someone else" in site.run("releases")["error"]
    assert site.good("deploy", ref="v2")["status"] == "changed"


def test_folder_that_is_something_else(new_site):
    site = new_site("in_place")
    site.path.mkdir()
    (site.path / "file").write_text("mine")
    assert "is no checkout, and not empty" in site.deploy("v1")["error"]
    site = new_site("releases", "other")
    (site.path / "current").mkdir(parents=True)
    assert "current is no link" in site.deploy("v1")["error"]


@pytest.mark.parametrize("at_v1", ["in_place"], indirect=True)
def test_two_at_once(at_v1):
    book = Book(str(at_v1.records / "demo"))
    book.lock()
    try:
        for name in ("deploy", "rollback"):
            words = at_v1.run(name, **({"ref": "v2"} if name == "deploy" else {}))["error"]
            assert "process %d" % os.getpid() in words
            assert "is at work on demo" in words
    finally:
        book.unlock()
    assert at_v1.good("deploy", ref="v2")["status"] == "changed"


def test_plan_that_is_out_of_date(folders):
    task = Deploy(
        app="demo",
        path=str(folders.path),
        records=str(folders.records),
        python=folders.python,
        repository=str(folders.source.path),
        ref="v1",
    )
    plan = task.plan(task.probe())
    folders.good("deploy", ref="v2")
    with pytest.raises(TaskError, match="another run has changed this application meanwhile"):
        task.apply(plan.changes[0])
    assert folders.good("deploy", ref="v1", allow_rewritten=True)["status"] == "changed"


def test_hooks_and_settings_of_a_repository_are_not_run(site):
    site.good("deploy", ref="v1")
    mark = site.folder / "mark"
    for path in site.folder.rglob("hooks"):
        shutil.rmtree(str(path))
    folder = site.path / (".git" if site.strategy == "in_place" else "repository.git")
    (folder / "hooks").mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge"):
        (folder / "hooks" / name).write_text("#!/bin/sh\ntouch %s\n" % mark)
        (folder / "hooks" / name).chmod(0o755)
    with (folder / "config").open("a") as file:
        file.write('[core]\n\tfsmonitor = touch %s\n[protocol "ext"]\n\tallow = always\n' % mark)
    site.good("deploy", ref="v2")
    assert not mark.exists()


# --- the unit file that a release brings along

UNIT = "[Service]\nExecStart=/srv/%s\n"


class Manager:
    """Stands for systemd: which unit file it has read, and whether the unit runs."""

    def __init__(self, folder):
        self.path = folder / "demo.service"
        self.runs = None

    def read(self):
        return self.path.read_text() if self.path.exists() else None

    def show(self, name):
        load = "not-found" if self.read() is None else "bad-setting" if "Exec" not in self.read() else "loaded"
        return systemd.Unit(name=name, id=name, load=load, active="inactive" if self.runs is None else "active")

    def begin(self, serving):
        self.runs = self.read()
        if "bad" in self.runs:
            raise TaskError("demo.service failed")

    def stop(self, serving):
        self.runs = None


@pytest.fixture
def manager(tmp_path, monkeypatch):
    (tmp_path / "units").mkdir()
    manager = Manager(tmp_path / "units")
    monkeypatch.setattr(unit_files, "FOLDER", str(tmp_path / "units"))
    monkeypatch.setattr(hold, "reload", lambda: None)
    monkeypatch.setattr(systemd, "show", manager.show)
    monkeypatch.setattr(Serving, "begin", lambda serving: manager.begin(serving))
    monkeypatch.setattr(Serving, "stop", lambda serving: manager.stop(serving))
    return manager


@pytest.fixture
def with_unit(site):
    """A site whose releases v3, v4 and bad bring a unit file along; v1 and v2 have none."""
    (site.source.path / "deploy").mkdir()
    for tag in ("v3", "v4", "bad"):
        (site.source.path / "deploy" / "demo.service").write_text(UNIT % tag)
        site.source.release(tag, "good " + tag)
    return site


BRINGS = {"unit": "demo.service", "unit_file": "deploy/demo.service"}


def test_unit_file_comes_and_goes_with_its_release(with_unit, manager):
    site = with_unit
    manager.path.write_text(UNIT % "before")
    manager.path.chmod(0o600)
    site.good("deploy", ref="v1", unit="demo.service")
    planned = site.good("deploy", ref="v3", check=True, **BRINGS)
    (change,) = [one for one in planned["changes"] if "demo.service of the release" in one["summary"]]
    assert not change["certain"]
    assert manager.read() == UNIT % "before"
    for ref in ("v3", "v4"):
        assert site.good("deploy", ref=ref, **BRINGS)["status"] == "changed"
        assert manager.runs == manager.read() == UNIT % ref
        assert manager.path.stat().st_mode & 0o777 == 0o644
        assert site.good("deploy", ref=ref, **BRINGS)["status"] == "ok"
        assert site.good("releases", **BRINGS)["status"] == "ok"
    assert site.good("rollback", **BRINGS)["status"] == "changed"
    assert manager.runs == manager.read() == UNIT % "v3"
    assert site.good("rollback", to="v1", **BRINGS)["status"] == "changed"  # which brings none: what was there before
    assert manager.runs == manager.read() == UNIT % "before"
    assert manager.path.stat().st_mode & 0o777 == 0o600
    assert site.is_tidy()
    assert [path.name for path in manager.path.parent.iterdir()] == ["demo.service"]


def test_unit_file_of_the_release_before_comes_back_by_itself(with_unit, manager):
    site = with_unit
    words = site.deploy("bad", **BRINGS)["error"]
    assert "there is no earlier release" in words
    assert (manager.runs, manager.read()) == (None, None)
    site.good("deploy", ref="v3", **BRINGS)
    assert "v3 (" in fails(site, serves=("good v3", "demo==1\n"), **BRINGS)
    assert manager.runs == manager.read() == UNIT % "v3"
    (site.source.path / "deploy" / "demo.service").write_text("[Service]\n")
    site.source.release("empty", "good empty")
    assert "systemd does not take the release's deploy/demo.service (bad-setting)" in fails(
        site, "empty", ("good v3", "demo==1\n"), **BRINGS
    )
    assert manager.runs == manager.read() == UNIT % "v3"


def test_unit_file_that_was_changed_by_hand(with_unit, manager):
    site = with_unit
    site.good("deploy", ref="v3", **BRINGS)
    manager.path.write_text(UNIT % "mended")
    assert "is not the one that v3" in site.run("releases", **BRINGS)["error"]
    assert site.good("deploy", ref="v3", **BRINGS)["status"] == "changed"
    assert manager.runs == manager.read() == UNIT % "v3"


@pytest.mark.parametrize("site", ["releases"], indirect=True)
def test_unit_files_that_are_refused(with_unit, manager):
    site = with_unit
    os.symlink("/etc/shadow", str(site.source.path / "deploy" / "link"))
    (site.source.path / "deploy" / "text").write_text("[Service]\0")
    site.source.release("v5", "good 5")
    for name, words in (("link", "is no unit file"), ("text", "is no unit file"), ("none", "has no deploy/none")):
        assert words in site.deploy("v5", **dict(BRINGS, unit_file="deploy/" + name))["error"]
    os.symlink("/dev/null", str(manager.path))
    assert "is a symbolic link, so it is not replaced" in site.deploy("v5", **BRINGS)["error"]
    assert os.readlink(str(manager.path)) == "/dev/null"
    assert site.serves() is None


# --- a branch that leads on, and releases that are not whole


def test_a_branch_means_the_same_on_every_host(at_v1):
    before = tree(at_v1.folder)
    words = fails(at_v1, "main", pinned=True)
    assert "main is a branch, which may lead on" in words
    assert words.endswith("its commit: " + at_v1.commits["v2"])
    assert tree(at_v1.folder) == before
    at_v1.source.release("v3", "good 3")  # pushed while another host was served
    asked = {"ref": "main", "pinned": True, "commit": at_v1.commits["v2"]}
    assert at_v1.good("deploy", **asked)["data"]["commit"] == at_v1.commits["v2"]
    assert at_v1.serves() == V2
    assert at_v1.good("deploy", **asked)["status"] == "ok"
    assert at_v1.good("deploy", ref="main")["status"] == "changed"
    assert at_v1.good("deploy", **asked)["status"] == "changed"  # back on the same branch, which nobody rewrote
    assert at_v1.serves() == V2


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_a_commit_that_is_not_the_refs(at_v1):
    at_v1.source.git("checkout", "-q", "-b", "other", "v1")
    elsewhere = at_v1.source.git("commit-tree", "-m", "x", "-p", "v1", "v1^{tree}")
    at_v1.source.git("branch", "third", elsewhere)
    assert "is not in the history of main" in fails(at_v1, "main", commit=elsewhere)
    assert "v2 is commit %s, not %s" % (at_v1.commits["v2"][:12], elsewhere[:12]) in fails(
        at_v1, "v2", commit=elsewhere
    )
    assert at_v1.good("deploy", ref="v2", commit=at_v1.commits["v2"], pinned=True)["status"] == "changed"


@pytest.mark.parametrize("at_v1", ["releases"], indirect=True)
def test_releases_that_are_not_whole(at_v1):
    source = at_v1.source
    (source.path / ".gitmodules").write_text('[submodule "x"]\n\tpath = vendor/x\n\turl = /srv/x.git\n')
    source.release("bad", "good")
    assert "the release has submodules (vendor/x), which are not fetched" in fails(at_v1)
    (source.path / ".gitmodules").unlink()
    (source.path / "model").mkdir()
    (source.path / "model" / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    source.release("v3", "good 3")  # it could, but does not
    assert at_v1.good("deploy", ref="v3")["status"] == "changed"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:%064x\nsize 12\n" % 7
    (source.path / "model" / "a.bin").write_text(pointer)
    (source.path / "notes.txt").write_text("a pointer begins with " + pointer)
    source.release("large", "good 4")
    said = fails(at_v1, "large", ("good 3", "demo==1\n"))
    assert "keeps files in Git LFS (model/a.bin), of which only pointers are fetched" in said


# --- a run that is killed at any instant

EFFECTS = ("rename", "symlink", "unlink")
READS = ("cat-file", "rev-parse", "merge-base", "ls-remote", "status", "rev-list", "symbolic-ref", "freeze")


class Killer:
    """Kills this process before its effect number `last`; counts them."""

    def __init__(self, last):
        self.last, self.count = last, 0

    def wrap(self, act, counts):
        def wrapped(*args, **kwargs):
            if counts(*args):
                self.count += 1
                if self.count == self.last:
                    os.kill(os.getpid(), 9)
            return act(*args, **kwargs)

        return wrapped

    def arm(self, patch):
        for name in EFFECTS:
            patch.setattr(os, name, self.wrap(getattr(os, name), lambda *args: True))
        changes = self.wrap(users.run, lambda argv: not any(word in READS for word in argv))
        patch.setattr(users, "run", changes)


def killed(monkeypatch, last, act):
    """Do something in a process that dies before its effect number `last`; return whether it did."""
    pid = os.fork()
    if pid == 0:
        try:
            Killer(last).arm(monkeypatch)
            result = act()
            os._exit(0 if result["error"] is None else 1)
        finally:
            os._exit(2)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, 9), status
    return status == 9


def effects(site, monkeypatch, act):
    with monkeypatch.context() as patch:
        killer = Killer(0)
        killer.arm(patch)
        assert act()["error"] is None
    return killer.count


def test_killed_at_any_instant(at_v1, templates, monkeypatch):
    site = at_v1
    number = effects(site, monkeypatch, lambda: site.deploy("v2"))
    assert number > 12
    for last in range(1, number + 1):
        for name in ("srv", "records"):
            shutil.rmtree(str(site.folder / name))
            copy(templates / site.strategy / name, site.folder / name)
        assert killed(monkeypatch, last, lambda: site.deploy("v2"))
        if site.strategy == "releases":
            assert site.serves() in (V1, V2)  # whole, at every instant
        if last % 2:
            result = site.good("deploy", ref="v2")
            assert site.serves() == V2, (last, result)
        else:
            result = site.good("rollback", to="v1")
            assert site.serves() == V1, (last, result)
        assert site.is_tidy(), last


@pytest.mark.parametrize("site", ["releases"], indirect=True)
def test_unit_file_when_killed_at_any_instant(with_unit, manager, monkeypatch):
    site = with_unit
    site.good("deploy", ref="v3", **BRINGS)
    for name in ("srv", "records"):
        copy(site.folder / name, site.folder / (name + ".v3"))
    number = effects(site, monkeypatch, lambda: site.deploy("v4", **BRINGS))
    for last in range(number - 9, number + 1):
        for name in ("srv", "records"):
            shutil.rmtree(str(site.folder / name))
            copy(site.folder / (name + ".v3"), site.folder / name)
        manager.path.write_text(UNIT % "v3")
        assert killed(monkeypatch, last, lambda: site.deploy("v4", **BRINGS))
        ref = "v4" if last % 2 else "v3"
        if last % 2:
            site.good("deploy", ref="v4", **BRINGS)
        else:
            site.good("rollback", to="v3", **BRINGS)
        assert (site.serves()[0], manager.read()) == ("good " + ref, UNIT % ref), last
        assert site.is_tidy(), last
        assert [path.name for path in manager.path.parent.iterdir()] == ["demo.service"]


@pytest.mark.parametrize("at_v1", ["in_place"], indirect=True)
def test_git_that_was_killed_in_the_middle(at_v1, monkeypatch):
    site = at_v1

    def is_checkout(argv, *args):
        return "checkout" in argv

    pid = os.fork()
    if pid == 0:
        try:
            users.run = Killer(1).wrap(users.run, is_checkout)
            site.deploy("v2")
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 9
    (site.path / "only in v2").write_text("ne")  # git had begun to write the new files
    (site.path / "app.txt").write_text("good 2")
    (site.path / ".git" / "index.lock").write_text("half")
    assert site.good("deploy", ref="v2")["status"] == "changed"
    assert (site.path / "only in v2").read_text() == "new\n"
    assert site.serves() == V2
    assert site.is_tidy()


@pytest.mark.parametrize("at_v1", ["in_place"], indirect=True)
def test_file_of_someone_else_in_the_way(at_v1):
    (at_v1.path / "only in v2").write_text("mine")
    words = fails(at_v1, "v2")
    assert "files lie in the way" in words
    assert "(only in v2)" in words
    assert (at_v1.path / "only in v2").read_text() == "mine"


def test_locks_are_removed_and_nothing_else(folders):
    folders.good("deploy", ref="v1")
    mirror = folders.path / "repository.git"
    folders.source.git("branch", "tmp_branch", "v1")
    folders.source.git("branch", "lock", "v1")
    folders.good("deploy", ref="v2")
    stale = [mirror / "packed-refs.lock", mirror / "objects" / "pack" / "tmp_pack_abc"]
    for path in stale:
        path.write_text("")
    users_git = repositories.Git(actor=users.find(None, str(mirror)), folder=str(mirror))
    users_git.unlock()
    assert not any(path.exists() for path in stale)
    assert users_git.commit_of("tmp_branch") == users_git.commit_of("lock") == folders.commits["v1"]


def test_what_was_cut_short_is_put_right_even_when_no_more_can_be_done(at_v1, monkeypatch):
    site = at_v1
    site.source.release("bad", "bad", "slow==1\n")
    number = effects(site, monkeypatch, lambda: site.deploy("v2"))
    site.good("rollback")
    site.good("deploy", ref="v1")
    assert killed(monkeypatch, number - 3, lambda: site.deploy("bad"))
    assert "was cut short" in site.run("releases")["error"]
    before = tree(site.folder)
    planned = site.run("deploy", ref="nowhere", check=True)
    assert "put right what the deploy of bad" in planned["changes"][0]["summary"]
    assert tree(site.folder) == before
    result = site.deploy("nowhere")
    assert "no branch and no tag called nowhere" in result["error"]
    assert site.serves()[0].startswith("good")
    assert site.is_tidy()


# --- the pure plan

COMMITS = ["%040x" % number for number in range(1, 5)]
NAMES = [records.identity(1700000000 + number, commit) for number, commit in enumerate(COMMITS)]
ROWS = st.builds(
    lambda number, act, outcome, before, switched: {
        "id": NAMES[number],
        "commit": COMMITS[number],
        "ref": "v%d" % number,
        "act": act,
        "outcome": outcome,
        "previous": NAMES[before],
        "switched": switched,
        "at": "2025-01-01T00:00:00Z",
    },
    st.integers(0, 3),
    st.sampled_from(["deploy", "rollback"]),
    st.sampled_from(["good", "failed", "cut short", "found"]),
    st.integers(0, 3),
    st.booleans(),
)
PENDINGS = st.none() | st.builds(
    lambda number, before, phase: Pending(
        act="deploy",
        id=NAMES[number],
        commit=COMMITS[number],
        ref="x",
        began="",
        who="",
        phase=phase,
        previous=NAMES[before],
        previous_commit=COMMITS[before],
    ),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["build", "switch"]),
)


def state(history, pending, here, kept, holder, wanted, problem):
    served = Served(id=NAMES[here], commit=COMMITS[here]) if here is not None else Served()
    built = {name: {"commit": commit, "build": ["python3", "", "", "venv"]} for name, commit in zip(NAMES, COMMITS)}
    return State(
        now=1800000000.0,
        history=history,
        pending=pending,
        holder=holder,
        served=served,
        kept=sorted(NAMES[number] for number in kept),
        built=built,
        ground_problem=problem,
        resolved=Resolved(commit=COMMITS[wanted], kind="tag"),
    )


STATES = st.builds(
    state,
    st.lists(ROWS, max_size=6),
    PENDINGS,
    st.none() | st.integers(0, 3),
    st.sets(st.integers(0, 3)),
    st.sampled_from(["", "process 7"]),
    st.integers(0, 3),
    st.sampled_from(["", "", "it is on fire"]),
)
WHICH = st.sampled_from(
    [
        Deploy(**dict(GOOD, keep=2)),
        Deploy(**dict(GOOD, strategy="in_place", migrate=["x"])),
        Rollback(app="demo", path="/srv/demo"),
        Rollback(app="demo", path="/srv/demo", to="v1", strategy="in_place"),
    ]
)


@given(STATES, WHICH)
@settings(max_examples=150)
def test_plans(found, task):
    plan = task.plan(found)
    assert plan == task.plan(found)
    assert bool(plan.failure) + bool(plan.changes) + bool(plan.reason) == 1
    acts = [change.detail["do"] for change in plan.changes]
    if found.holder:
        assert plan.failure
        return
    assert ("recover" in acts) == (found.pending is not None)
    assert "recover" not in acts[1:]
    if found.ground_problem:
        assert acts in ([], ["recover"])
    if "switch" in acts:
        assert acts.index("switch") < acts.index("serve")
        target = plan.changes[acts.index("switch")].detail["target"]
        here = found.cut_short.previous if found.cut_short else found.served.id
        assert target["id"] != here
        doomed = plan.changes[acts.index("switch")].detail.get("doomed", [])
        assert target["id"] not in doomed
        if getattr(task, "keep", 1) > 1:
            assert here not in doomed


@pytest.mark.parametrize("strategy", [Folders, Checkout])
def test_a_strategy_leaves_nothing_open(strategy):
    """What the common ground only names, each strategy does."""
    assert len(Ground.__abstractmethods__) >= 8
    assert strategy.__abstractmethods__ == frozenset()
