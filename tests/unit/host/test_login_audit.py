"""What sshd, sudo and su say is understood, and what is severe is found in it."""

from __future__ import annotations

import json
import os
import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.audit import auth_log, keys, logins, places
from opslib.host.audit.auth_log import Event
from opslib.host.audit.logins import Found
from opslib.host.params import ParamError
from opslib.host.tasks.login_audit import LoginAudit

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("since", ["soon", 0, -1, [], True, *HOSTILE]),
        ("known", [5, {"a": 1}, ["x"], ["10.0.0.1/8"], [[]], *([text] for text in HOSTILE)]),
        ("guesses", ["few", 0, -1, 1.5, [], True, *HOSTILE]),
        ("strict", ["maybe", 2, [], *HOSTILE]),
        ("source", ["wtmp", [], 5, *HOSTILE]),
        ("wtmp", ["wtmp", "/a/../b", "/a\nb", "/a\0b", "", [], 5]),
        ("top", ["few", 0, 1001, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^login_audit: %s: " % name):
            LoginAudit(**{name: value})


# Messages as the programs of Debian 12 wrote them
@pytest.mark.parametrize(
    ("identifier", "message", "expected"),
    [
        (
            "sshd",
            "Accepted publickey for ops from 10.203.0.1 port 46122 ssh2: ED25519 SHA256:wJQ2",
            ("login", "ops", "10.203.0.1", "publickey", "SHA256:wJQ2", ""),
        ),
        (
            "sshd",
            "Accepted password for root from fd00::5 port 22 ssh2",
            ("login", "root", "fd00::5", "password", "", ""),
        ),
        (
            "sshd",
            "Failed password for invalid user admin from 203.0.113.9 port 40022 ssh2",
            ("failed", "admin", "203.0.113.9", "password", "", ""),
        ),
        (
            "sshd",
            "Failed password for x from 1.2.3.4 port 5 from 203.0.113.9 port 40022 ssh2",
            ("failed", "x from 1.2.3.4 port 5", "203.0.113.9", "password", "", ""),
        ),
        (  # the client chooses the name: nobody is to be blamed in place of the real address
            "sshd",
            "Failed password for x from 1.2.3.4 port 5: y from 203.0.113.9 port 40022 ssh2",
            ("failed", "x from 1.2.3.4 port 5: y", "203.0.113.9", "password", "", ""),
        ),
        (
            "sshd-session",
            "Connection closed by authenticating user nosudo 10.203.0.1 port 53012 [preauth]",
            ("closed", "nosudo", "10.203.0.1", "publickey", "", ""),
        ),
        (
            "sshd",
            "Connection reset by invalid user  10.203.0.1 port 53012 [preauth]",
            ("closed", "", "10.203.0.1", "publickey", "", ""),
        ),
        (
            "sudo",
            "     ops : TTY=pts/0 ; PWD=/home/ops ; USER=root ; COMMAND=/usr/bin/psql --password=geheim",
            ("sudo", "ops", "", "", "", "root"),
        ),
        (
            "sudo",
            "  nosudo : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            ("sudo_failed", "nosudo", "", "", "", "root"),
        ),
        (
            "sudo",
            "     pat : 3 incorrect password attempts ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            ("sudo_failed", "pat", "", "", "", "root"),
        ),
        *(
            ("sudo", f"  pat : {why} ; PWD=/ ; USER=root ; COMMAND=/bin/ls", ("sudo_failed", "pat", "", "", "", "root"))
            for why in (
                "user NOT authorized on host",
                "account validation failure, is your account locked?",
                "sorry, you are not allowed to set the following environment variables: LD_PRELOAD",
            )
        ),
        (
            "sudo",
            "ops : PWD=/ ; USER=root ; COMMAND=/bin/sh -c x ; USER=nobody",
            ("sudo", "ops", "", "", "", "root"),
        ),
        ("su", "(to root) ops on pts/1", ("su", "ops", "", "", "", "root")),
        ("su", "FAILED SU (to root) ops on pts/1", ("su_failed", "ops", "", "", "", "root")),
        ("useradd", "new user: name=eve, UID=0, GID=0", ("account", "", "", "", "", "")),
    ],
)
def test_messages(identifier, message, expected):
    one = auth_log.event(identifier, message, 5.0)
    assert one is not None
    assert (one.kind, one.user, one.address, one.method, one.key, one.target) == expected
    assert "geheim" not in repr(one)


@pytest.mark.parametrize(
    ("message", "program", "target"),
    [
        (
            "TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c x ; COMMAND=/usr/bin/id",
            "/bin/sh or /usr/bin/id",
            "root",
        ),
        (
            "PWD=/tmp/x ; USER=ops ; COMMAND=id ; USER=root ; COMMAND=/bin/sh",  # the name of a folder
            "id or /bin/sh",
            "ops or root",
        ),
    ],
)
def test_who_uses_sudo_cannot_choose_what_is_told_of_it(message, program, target):
    one = auth_log.event("sudo", f"ops : {message}", 5.0)
    assert (one.kind, one.text, one.target) == ("sudo", program, target)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("sshd", "Server listening on 0.0.0.0 port 22."),
        ("sshd", "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)"),
        ("sshd", "Received disconnect from 1.2.3.4 port 5:11: Failed password for root from 6.6.6.6 port 1 ssh2"),
        ("sudo", "pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)"),
        ("cron", "Accepted password for root from 1.2.3.4 port 22 ssh2"),
        ("su", ""),
    ],
)
def test_what_says_nothing(identifier, message):
    assert auth_log.event(identifier, message, 5.0) is None


@given(st.sampled_from(auth_log.IDENTIFIERS), st.text(max_size=300))
def test_any_message_is_read(identifier, message):
    auth_log.event(identifier, message, 0.0)


def login(at, user="ops", address="10.0.0.5", **more):
    return Event(kind="login", at=at, user=user, address=address, method="publickey", **more)


def failed(at, user="root", address="203.0.113.9", kind="failed", port="1"):
    return Event(kind=kind, at=at, user=user, address=address, port=port)


def plan(events, *, wtmp=(), wtmp_empty=0, found_keys=(), cut=False, elsewhere=(), unread=(), **args):
    found = Found(events=sorted(events, key=lambda one: one.at), source="journal", cut=cut)
    changes = {"keys": list(found_keys), "wtmp": list(wtmp), "wtmp_empty": wtmp_empty}
    return LoginAudit(**args).plan(state(found, elsewhere=list(elsewhere), unread=list(unread), **changes))


def state(found, **changes):
    nothing = {"keys": [], "wtmp": [], "wtmp_empty": 0, "elsewhere": [], "unread": []}
    return dict(nothing, now=1e6, since=0.0, found=found, **changes)


def test_counts_by_source():
    events = [failed(t, user="u%d" % (t % 3)) for t in range(30)] + [failed(5, address="198.51.100.1")] + [login(7)]
    data = plan(events).data
    assert (data["failed_count"], data["login_count"]) == (31, 1)
    assert [(row["address"], row["count"], row["user_count"]) for row in data["failed"]] == [
        ("203.0.113.9", 30, 3),
        ("198.51.100.1", 1, 1),
    ]


def test_a_closed_connection_counts_once():
    events = [failed(1, port="7"), failed(2, kind="closed", port="7"), failed(3, kind="closed", port="8")]
    assert plan(events).data["failed_count"] == 2


def test_a_guessed_password():
    events = [failed(t) for t in range(12)] + [login(20, user="root", address="203.0.113.9")]
    found = plan(events, strict=True)
    assert found.failure.startswith("203.0.113.9 failed 12 times and then got in as root (1970-01-01T00:00:20Z)")
    assert plan(events).warnings[0] == found.failure
    assert plan(events, guesses=13).data["broken_in"] == []
    assert plan([failed(t + 30) for t in range(12)] + [login(20, address="203.0.113.9")]).data["broken_in"] == []


def test_logins_from_elsewhere():
    found = plan([login(1), login(2, address="198.51.100.7")], known=["10.0.0.0/8"], strict=True)
    assert found.failure == "logins from outside the known networks: ops from 198.51.100.7"
    assert [row["known"] for row in found.data["logins"]] == [False, True]


def test_wiped_traces():
    row = {"at": 500.0, "user": "eve", "host": "203.0.113.9", "line": "pts/0"}
    found = plan([login(1), login(400)], wtmp=[row, dict(row, user="ops", at=410.0)], wtmp_empty=2, strict=True)
    assert "logins in wtmp that no log knows of: eve from 203.0.113.9" in found.failure
    assert "2 emptied records in wtmp: somebody wiped traces" in found.failure
    assert plan([login(600)], wtmp=[row]).data["wtmp_unlogged"] == []
    shared = plan(
        [login(1), login(2, user="eve", address=row["host"])], wtmp=[row]
    )  # a second terminal over one connection
    assert shared.data["wtmp_unlogged"] == []
    assert (
        len(plan([login(1, user="x"), login(2, user="x", address=row["host"])], wtmp=[row]).data["wtmp_unlogged"]) == 1
    )
    assert "the logs say nothing of sshd" in str(plan([], wtmp=[row]).warnings)


# struct utmp, as C lays it out: with a session and a time of 32 bits each, or with `long` ones
TAILS = {"x86_64": ("@hi32s4s32s256shhiii", 384), "aarch64": ("@hi32s4s32s256shhlll", 400)}


@pytest.mark.parametrize("machine", sorted(TAILS))
def test_wtmp(machine, monkeypatch, tmp_path):
    form, length = TAILS[machine]

    def record(kind, user, host, at):
        fields = (kind, 1, b"pts/0", b"id", user.encode(), host.encode(), 0, 0, 77, at, 5)
        return struct.pack(form, *fields).ljust(length, b"\0")

    path = tmp_path / "wtmp"
    path.write_bytes(
        record(7, "ops", "10.0.0.5", 900) + bytes(length) + record(8, "", "", 950) + record(7, "o", "x", 10)
    )
    monkeypatch.setattr(logins.os, "uname", lambda: SimpleNamespace(machine=machine))
    row = {"at": 900.0, "user": "ops", "host": "10.0.0.5", "line": "pts/0"}
    assert logins.wtmp(str(path), 100) == ([row], 1)
    with path.open("ab") as file:
        file.write(record(7, "cut", "x", 990)[:-9])
    monkeypatch.setattr(logins, "_WTMP_TAIL", 3)
    assert logins.wtmp(str(path), 100) == ([], 1)


@given(st.binary(max_size=2000), st.sampled_from(["x86_64", "aarch64", ""]))
def test_any_wtmp_is_read(data, machine):
    logins.parse_wtmp(data, 0, *logins.layout(machine))


def test_journal_lines():
    rows = [
        {"MESSAGE": "(to root) ops on pts/1", "SYSLOG_IDENTIFIER": "su", "__REALTIME_TIMESTAMP": "2000000"},
        {"MESSAGE": list(b"(to r\xff) ops on pts/1"), "SYSLOG_IDENTIFIER": "su", "__REALTIME_TIMESTAMP": "1000000"},
        {"MESSAGE": None, "SYSLOG_IDENTIFIER": "su", "__REALTIME_TIMESTAMP": "1000000"},
        {"SYSLOG_IDENTIFIER": "su"},
        [],
    ]
    text = "\n".join(map(json.dumps, rows)) + "\n{cut"
    assert [one.at for one in logins.parse_journal(text)] == [1.0, 2.0]


def test_a_message_cannot_hide_itself_from_the_audit():
    message = "ops : PWD=/ ; USER=root ; COMMAND=/bin/sh -c \u2028 \u2029 \x85"
    row = {"MESSAGE": message, "SYSLOG_IDENTIFIER": "sudo", "__REALTIME_TIMESTAMP": "2000000"}
    (one,) = logins.parse_journal(json.dumps(row, ensure_ascii=False) + "\n")  # as journalctl writes it
    assert (one.kind, one.text) == ("sudo", "/bin/sh")


def test_a_log_that_may_not_be_read_is_no_quiet_night(tmp_path, monkeypatch):
    """Not even where the journal has a part of one's own, or nobody was asked about failures."""
    journal = tmp_path / "5" / "system.journal"
    journal.parent.mkdir()
    journal.touch()
    (tmp_path / "auth.log").touch()
    monkeypatch.setattr(logins.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(logins.os, "access", lambda *_args: False)
    monkeypatch.setattr(logins, "_SYSTEM_JOURNALS", (str(tmp_path / "*" / "system.journal"),))
    for found in (logins.of_journal(0.0), logins.of_files([str(tmp_path / "auth.log")], 0.0, 1.0)):
        assert (found.events, found.cut) == ((), False)
        row = {"at": 500.0, "user": "eve", "host": "203.0.113.9", "line": "pts/0"}
        plan = LoginAudit().plan(state(found, wtmp=[row]))
        assert plan.data["complete"] is False
        assert plan.reason.startswith("who logged in is not known")
        assert plan.warnings == [plan.reason]
        assert LoginAudit(strict=True).plan(state(found)).failure == plan.reason


def test_files(tmp_path):
    path = tmp_path / "auth.log"
    path.write_text(
        "2026-01-02T03:04:05.000000+00:00 host sshd[7]: Failed password for root from 203.0.113.9 port 1 ssh2\n"
        "2026-01-02T03:04:06.000000+00:00 host sudo:      ops : PWD=/ ; USER=root ; COMMAND=/bin/ls\n"
        "2026-01-02T03:04:07.000000+00:00 host cron[9]: (root) CMD (true)\n"
        "2026-01-02T03:04:08.000000+00:00 host sshd[7]: message repeated 5 times: "
        "[ Failed password for root from 203.0.113.9 port 1 ssh2]\n"
    )
    found = logins.of_files([str(path)], 1767300000.0, 1767350000.0)
    assert [one.kind for one in found.events] == ["failed", "sudo", *["failed"] * 5]


# ssh-keygen -lf says the same of this key
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPMtBVvGqXpoFlKoTlpKdHfqHyYQfQ4NTG9JxVXMsGX"


def test_keys():
    text = '# a comment\n\n%s me@desk\nfrom="10.0.0.1",command="a b" %s\nssh-rsa !!! x\nnonsense\n' % (KEY, KEY)
    rows = list(keys.parse(text))
    assert [(row["type"], row["comment"], row["options"]) for row in rows] == [
        ("ssh-ed25519", "me@desk", False),
        ("ssh-ed25519", "", True),
    ]
    assert rows[0]["fingerprint"].startswith("SHA256:")
    assert len(rows[0]["fingerprint"]) == 50


def test_no_heap_of_old_keys_hides_a_new_one(tmp_path):
    accounts = [places.Account(name=name, uid="7", home=str(tmp_path / name)) for name in ("ann", "eve")]
    for name, number in (("ann", keys.MOST + 1), ("eve", 1)):
        (tmp_path / name / ".ssh").mkdir(parents=True)
        (tmp_path / name / ".ssh" / "authorized_keys").write_text((KEY + "\n") * number)
    old, new = (str(tmp_path / name / ".ssh" / "authorized_keys") for name in ("ann", "eve"))
    while os.stat(new).st_ctime == os.stat(old).st_ctime:
        os.utime(new)
    problems, since = [], os.stat(new).st_ctime
    rows = keys.authorized(places.files(accounts), since, problem=problems.append)
    assert [(row["user"], row["new"]) for row in rows[:2]] == [("eve", True), ("ann", False)]
    assert len(rows) == keys.MOST
    assert [words.rpartition(": ")[2] for words in problems] == ["there are more than 1000 keys"]


def test_new_keys_are_told(tmp_path):
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "authorized_keys").write_text(KEY + " evil\n")
    files = places.files([places.Account(name=name, uid="7", home=str(tmp_path)) for name in ("eve", "twin")])
    rows = keys.authorized(files, 0.0)
    assert [(row["user"], row["new"]) for row in rows] == [("eve", True)]
    assert keys.authorized(files, 9e9)[0]["new"] is False
    found = plan([], found_keys=rows)
    assert found.data["new_keys"] == 1
    assert "of eve (evil)" in found.warnings[0]
    found = plan([], elsewhere=["sshd asks"], unread=["/x: Input/output error"])
    assert list(found.warnings) == ["sshd asks", "keys cannot be looked for in /x: Input/output error"]
