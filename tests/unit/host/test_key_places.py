"""Where sshd takes keys from: for local accounts and others, from the usual files and those that it names besides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.audit import places
from opslib.host.command import Completed
from opslib.host.task import TaskError

USUAL = [("ann", "/home/ann/.ssh/authorized_keys"), ("ann", "/home/ann/.ssh/authorized_keys2")]
ANN = "ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """`host(lines, sshd, getent)`: a host with one local account, settings of sshd, and what programs say (None: fail)."""
    (tmp_path / "sshd_config.d").mkdir()
    (tmp_path / "passwd").write_text(ANN)
    monkeypatch.setattr(places, "_CONFIG", str(tmp_path / "sshd_config"))
    monkeypatch.setattr(places, "_PASSWD", str(tmp_path / "passwd"))
    monkeypatch.setattr(places, "which", lambda program: "/usr/sbin/" + program)
    monkeypatch.setattr(places.os, "geteuid", lambda: 0)

    def make(lines="", sshd="", getent=ANN):
        (tmp_path / "sshd_config.d" / "a.conf").write_text(lines + "\n")
        asked = []

        def run(argv, **_options):
            asked.append(argv)
            said = {"sshd": sshd, "getent": getent}[argv[0]]
            if said is None:
                raise TaskError("%s failed\x1b[31m" % argv[0])
            named = argv[3:]
            rows = [row for row in said.splitlines(True) if not named or row.split(":")[0] in named]
            rows = [row for row in rows if named or argv[0] == "sshd" or not row.startswith("hidden")]
            return Completed(argv=argv, code=0, out="".join(rows), err="")

        monkeypatch.setattr(places, "run", run)
        return asked

    return make


@pytest.mark.parametrize(
    ("lines", "sshd", "files", "note"),
    [
        ("AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2", "", [], ""),
        ("AuthorizedKeysFile %h/.ssh/authorized_keys", "", [], ""),
        ("AuthorizedKeysCommand none", "authorizedkeyscommand none\nauthorizedkeysfile none\n", [], ""),
        ("#AuthorizedKeysFile /etc/keys", "", [], ""),
        ("authorizedkeysfile=/etc/ssh/keys/%u", "", [("ann", "/etc/ssh/keys/ann")], ""),
        ("", "authorizedkeysfile %h/k .ssh/%U%%u\n", [("ann", "/home/ann/k"), ("ann", "/home/ann/.ssh/1000%u")], ""),
        ("Match User x\n AuthorizedKeysFile /etc/all", "", [("*", "/etc/all")], ""),
        ("AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys", "", [], "AuthorizedKeysCommand /usr/bin/sss_ssh"),
        ("", "trustedusercakeys /etc/ca.pub\n", [], "trustedusercakeys /etc/ca.pub"),
        ("", None, [], "sshd -T does not say where keys are"),
    ],
)
def test_files_that_sshd_names(host, lines, sshd, files, note):
    host(lines, sshd)
    found = places.look()
    assert sorted(found.files) == sorted(USUAL + files)
    assert note in " ".join(found.notes)
    assert len(found.notes) == (1 if note else 0)
    assert "\x1b" not in str(found.notes)


def test_what_the_configuration_includes(host, tmp_path):
    (tmp_path / "sshd_config").write_text("Include nowhere/* more/*.conf\ninclude sshd_config\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.conf").write_text('Include "%s/x"\n' % tmp_path)
    (tmp_path / "x").write_text("Match User eve\n\tAuthorizedKeysFile /hidden/%u\n")
    host()
    assert set(places.look().files) - set(USUAL) == {("ann", "/hidden/ann")}


def test_accounts_of_a_directory(host):
    directory = ANN + "bea:*:70001:70001::/net/home/bea:/bin/sh\nhidden:*:7:7::/net/hidden:/bin/sh\n"
    asked = host(getent=directory)
    found = places.look(["hidden", "ann", "", "no\0body"])
    assert {user for user, _path in found.files} == {"ann", "bea", "hidden"}
    assert asked[1] == ("getent", "passwd", "--", "hidden")
    host(getent=None)
    found = places.look()
    assert [user for user, _path in found.files] == ["ann", "ann"]
    assert "keys were looked for in the homes of 1 account in" in found.notes[0]


@pytest.mark.parametrize("text", ["x", "::::::", "a:b:c:d:e:relative:g", "\udcff:" * 9])
def test_lines_that_are_no_accounts(host, text):
    host(getent=text)
    assert {user for user, _path in places.look().files} == {"ann"}


@given(st.text(max_size=60), st.text(max_size=20))
def test_a_path_is_always_absolute(pattern, name):
    for _user, path in places.files([places.Account(name=name, uid="7", home="/home/x")], [pattern]):
        assert path.startswith("/")
