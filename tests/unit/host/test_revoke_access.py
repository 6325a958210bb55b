"""Keys and accounts are revoked as asked, and never those of whoever asks."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.audit import keys, places, revocation
from opslib.host.audit.logins import Found
from opslib.host.params import ParamError
from opslib.host.plan import Change
from opslib.host.task import TaskError
from opslib.host.tasks import revoke_access
from opslib.host.tasks.revoke_access import RevokeAccess

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPMtBVvGqXpoFlKoTlpKdHfqHyYQfQ4NTG9JxVXMsGX"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHHtBVvGqXpoFlKoTlpKdHfqHyYQfQ4NTG9JxVXMsGX"
PRINT = next(keys.parse(KEY))["fingerprint"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("keys", [5, {"a": 1}, ["SHA256:x"], ["MD5:" + "a" * 43], [PRINT + "="], *([text] for text in HOSTILE)]),
        ("users", [5, {"a": 1}, ["-x"], ["a b"], ["x" * 33], *([text] for text in HOSTILE)]),
        ("processes", ["maybe", 2, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^revoke_access: %s: " % name):
            RevokeAccess(**{"users": ["eve"], name: value})


@pytest.mark.parametrize(("args", "words"), [({}, "neither is asked"), ({"users": ["root"]}, "root is not locked")])
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        RevokeAccess(**args)


def plan(*, used=(), own=(1000,), locked=False, running=2, uid=1005, problems=(), elsewhere=(), **args):
    known = [user for user in args.get("users", []) if user != "nobody-knows"]
    state = {
        "keys": [{"user": "eve", "path": "/home/eve/.ssh/authorized_keys", "fingerprint": PRINT, "comment": "evil"}],
        "used": set(used),
        "problems": list(problems),
        "elsewhere": list(elsewhere),
        "uids": dict.fromkeys(known, uid),
        "locked": dict.fromkeys(known, locked),
        "running": dict.fromkeys(known, running),
        "own": set(own),
    }
    return RevokeAccess(**args).plan(state)


def test_what_is_revoked():
    found = plan(keys=[PRINT], users=["eve"])
    assert [change.detail[0] for change in found.changes] == ["keys", "lock", "kill"]
    assert found.changes[2].summary == "kill 2 processes of eve"
    assert [change.detail[0] for change in plan(users=["eve"], locked=True, processes=False).changes] == ["keys"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"users": ["ops"], "uid": 1000}, "ops is who runs this"),
        ({"users": ["toor"], "uid": 0}, "root by another name"),
        ({"keys": [PRINT], "used": [PRINT]}, "somebody logged in from where this run comes from"),
    ],
)
def test_nobody_locks_themselves_out(args, words):
    found = plan(**args)
    assert words in found.failure
    assert found.failure.endswith("nothing was revoked")
    assert found.changes == ()


def test_whoever_runs_this_is_known_under_every_name(monkeypatch):
    """Two names may stand for one user: what it would lock out counts, not what it is called."""
    me = 1000
    status = b"Uid:\t1000\t1000\t1000\t1000\nPPid:\t1\n"
    monkeypatch.setattr(revoke_access.processes, "read", lambda *_what: status)
    monkeypatch.setattr(revoke_access.processes, "pids", list)
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(
        revoke_access, "_accounts", lambda: {"anna": (me, "/"), "anna2": (me, "/"), "eve": (54321, "/")}
    )
    monkeypatch.setattr(revoke_access, "_locked", lambda user: False)
    monkeypatch.setattr(revoke_access.sessions, "ssh_peers", set)
    for user in ("anna", "anna2"):
        task = RevokeAccess(users=[user])
        assert "is who runs this" in task.plan(task.probe()).failure
    task = RevokeAccess(users=["eve"])
    assert not task.plan(task.probe()).failure


def test_a_user_whom_this_host_lacks_keeps_nothing_from_being_revoked():
    found = plan(keys=[PRINT], users=["nobody-knows", "eve"])
    assert not found.failure
    assert [change.detail[0] for change in found.changes] == ["keys", "lock", "kill"]
    assert [change.summary for change in found.changes[1:]] == ["lock eve", "kill 2 processes of eve"]
    (warning,) = found.warnings
    assert warning.startswith("/etc/passwd has no nobody-knows to lock")


def test_nothing_is_revoked_while_it_is_not_known_who_came_with_what(monkeypatch):
    monkeypatch.setattr(revoke_access.sessions, "ssh_peers", lambda: {"10.0.0.5"})
    monkeypatch.setattr(revoke_access.logins, "read", lambda *_args: Found(denied="who logged in is not known"))
    with pytest.raises(TaskError, match="who logged in is not known"):
        RevokeAccess(keys=[PRINT]).probe()


def test_what_cannot_be_looked_into_is_no_success():
    found = RevokeAccess(keys=[PRINT]).plan(
        {
            "keys": [],
            "used": set(),
            "uids": {},
            "locked": {},
            "running": {},
            "own": set(),
            "elsewhere": [],
            "problems": ["/x: Input/output error"],
        }
    )
    assert found.failure == "the keys may still be where they cannot be looked for: /x: Input/output error"
    found = plan(keys=[PRINT], problems=["/x: Input/output error"], elsewhere=["sshd takes keys from elsewhere"])
    assert found.changes
    assert not found.failure
    assert found.warnings[-1] == "sshd takes keys from elsewhere"


def test_one_file_does_not_keep_the_rest_from_being_revoked(tmp_path, monkeypatch):
    """Not even one whose owner, who broke in, has made it a folder or protected it."""
    locked = []
    monkeypatch.setattr("opslib.host.tasks.revoke_access.run", lambda argv, timeout: locked.append(argv[-1]))
    good = tmp_path / "authorized_keys"
    good.write_text(KEY + "\n")
    task = RevokeAccess(keys=[PRINT], users=["eve"])
    found = plan(keys=[PRINT], users=["eve"], processes=False)
    for path in (tmp_path / "nowhere", good):
        task.apply(replaced(found.changes[0], detail=("keys", str(path))))
    task.apply(found.changes[1])
    assert good.read_text() == ""
    assert locked == ["eve"]
    with pytest.raises(TaskError, match="nowhere cannot be changed: No such file"):
        task.verify(found)


def replaced(change, **values):
    return Change(kind=change.kind, summary=change.summary, **values)


@pytest.mark.parametrize(
    "line",
    [
        'command="echo ssh-rsa x" %s',
        'environment="A=ssh-ed25519 b",from="10.0.0.1" %s',
        "ssh-ed25519 " + OTHER.split()[1] + " %s",
        'environment="A=\x0c\u2028\x85" %s',
    ],
)
def test_no_option_hides_a_key(line):
    text = "%s good\n%s evil\n%s good" % (OTHER, line % KEY, OTHER)
    assert PRINT in [row["fingerprint"] for row in keys.parse(text)]
    assert revocation.without(text, {PRINT}) == "%s good\n%s good" % (OTHER, OTHER)


def files_of_eve(home):
    return places.files([places.Account(name="eve", uid="7", home=str(home))])


def test_no_heap_of_keys_hides_one(tmp_path):
    (tmp_path / ".ssh").mkdir()
    path = tmp_path / ".ssh" / "authorized_keys"
    path.write_text((OTHER + " x" * 500 + "\n") * 3000 + KEY + "\n")
    assert [row["path"] for row in revocation.found(files_of_eve(tmp_path), {PRINT})] == [str(path)]
    revocation.remove(str(path), {PRINT})
    assert list(revocation.found(files_of_eve(tmp_path), {PRINT})) == []


def test_a_key_behind_a_link_is_found_where_it_lies(tmp_path):
    (tmp_path / "real").write_text(KEY)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "authorized_keys").symlink_to(tmp_path / "real")
    (row,) = revocation.found(files_of_eve(tmp_path), {PRINT})
    revocation.remove(row["path"], {PRINT})
    assert (tmp_path / "real").read_text() == ""


def test_a_file_that_cannot_be_read_whole_is_told(tmp_path, monkeypatch):
    (tmp_path / ".ssh" / "authorized_keys").mkdir(parents=True)
    problems = []
    assert list(revocation.found(files_of_eve(tmp_path), {PRINT}, problems.append)) == []
    monkeypatch.setattr(keys, "LONGEST", 10)
    (tmp_path / ".ssh" / "authorized_keys2").write_text(KEY)
    assert list(revocation.found(files_of_eve(tmp_path), {PRINT}, problems.append)) == []
    assert [words.rpartition("/")[2] for words in problems] == [
        "authorized_keys: it is no regular file",
        "authorized_keys: it is no regular file",
        "authorized_keys2: it is larger than 0 MiB",
    ]


def test_other_lines_stay(tmp_path):
    path = tmp_path / "authorized_keys"
    text = '# mine\n%s me\nfrom="10.0.0.1" %s evil\n\n%s other' % (OTHER, KEY, OTHER)
    path.write_text(text)
    path.chmod(0o640)
    revocation.remove(str(path), {PRINT})
    assert path.read_text() == "# mine\n%s me\n\n%s other" % (OTHER, OTHER)
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(str(tmp_path)) == ["authorized_keys"]


def test_links_are_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text(KEY)
    (tmp_path / "authorized_keys").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        revocation.remove(str(tmp_path / "authorized_keys"), {PRINT})
    assert target.read_text() == KEY


@given(st.lists(st.sampled_from([KEY + "\n", OTHER + " x\n", "# c\n", "\n", "junk\n"])))
def test_only_that_key_goes(lines):
    kept = revocation.without("".join(lines), {PRINT})
    assert kept == "".join(line for line in lines if not line.startswith(KEY))
