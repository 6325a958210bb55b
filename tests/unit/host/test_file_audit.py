"""What dpkg says of changed files is understood and told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks import file_audit
from opslib.host.tasks.file_audit import FileAudit, _Walked, parse_verify

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("since", ["soon", 0, -1, [], True, *HOSTILE]),
        ("watched", [5, {"a": 1}, ["etc"], ["/a/../b"], ["/a\nb"], ["/a\0b"], [[]], ["/x"] * 101]),
        ("ignore", [5, {"a": 1}, ["/a\nb"], ["/a\0b"], [[]], [""], ["/x"] * 201]),
        ("packages", ["maybe", 2, [], *HOSTILE]),
        ("setuid", ["maybe", 2, [], *HOSTILE]),
        ("containers", [5, {"a": 1}, ["var"], ["/a/../b"], ["/a\nb"], ["/a\0b"], [[]], ["/x"] * 101]),
        ("strict", ["maybe", 2, [], *HOSTILE]),
        ("timeout", ["soon", 0, -1, [], True, *HOSTILE]),
        ("top", ["few", 0, 5001, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^file_audit: %s: " % name):
            FileAudit(**{name: value})


def test_patterns_begin_with_a_slash():
    with pytest.raises(ParamError, match="begins? with '/'|does not begin"):
        FileAudit(ignore=["*.log"])


# As dpkg 1.21 on Debian 12 printed it
VERIFIED = """\
??5?????? c /etc/ssh/sshd_config
??5??????   /usr/bin/ls
missing     /usr/share/doc/libip4tc2/NEWS.Debian.gz
missing   c /etc/cron.daily/apt-compat
missing     /usr/lib/x (Permission denied)
??5??????   /usr/bin/with a space
"""


def test_verify():
    rows = [(row["path"], row["says"], row["config"], row["missing"]) for row in parse_verify(VERIFIED)]
    assert rows == [
        ("/etc/ssh/sshd_config", ["content"], True, False),
        ("/usr/bin/ls", ["content"], False, False),
        ("/usr/share/doc/libip4tc2/NEWS.Debian.gz", ["missing"], False, True),
        ("/etc/cron.daily/apt-compat", ["missing"], True, True),
        ("/usr/lib/x", ["missing"], False, True),
        ("/usr/bin/with a space", ["content"], False, False),
    ]


@given(st.text(max_size=500))
def test_any_answer_is_read(text):
    for row in parse_verify(text):
        assert row["path"].startswith("/")


def state(**changes):
    nothing = {"verified": [], "setuid": [], "recent": [], "complete": True, "problems": [], "left_out": []}
    return dict(nothing, now=1e6, **changes)


def test_what_is_severe():
    rows = list(parse_verify(VERIFIED))
    suid = [{"path": "/tmp/\x1b[2Jsh", "mode": 0o4755, "uid": 0, "ctime": 5.0}]
    plan = FileAudit(strict=True).plan(state(verified=rows, setuid=suid))
    assert plan.failure.startswith("files of packages that were changed: /usr/bin/ls; /usr/bin/with a space; files of")
    assert plan.failure.endswith("that no package brought: /tmp/\\x1b[2Jsh")
    assert plan.warnings == ["configuration files that were changed: /etc/ssh/sshd_config; /etc/cron.daily/apt-compat"]
    assert FileAudit().plan(state(verified=rows)).failure == ""
    assert FileAudit(strict=True).plan(state()).failure == ""


def test_lists_are_bounded():
    rows = [{"path": "/etc/%d" % n, "mode": 0o644, "uid": 0, "ctime": float(n)} for n in range(50)]
    data = FileAudit(top=3).plan(state(recent=rows)).data
    assert ([row["path"] for row in data["recent"]], data["recent_count"]) == (["/etc/49", "/etc/48", "/etc/47"], 50)


def test_images_of_containers_are_left_out(tmp_path, monkeypatch):
    """Below a disk, and on one of their own; and nothing else is."""
    for name in ("images/layer", "images-of-mine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "su").touch(mode=0o700)
        (tmp_path / name / "su").chmod(0o4755)
    images = str(tmp_path / "images")
    where = [[SimpleNamespace(point=str(tmp_path / name), options=(), fstype="ext4")] for name in ("", "images/layer")]
    monkeypatch.setattr(file_audit.mounts, "read_table", list)
    monkeypatch.setattr(file_audit.mounts, "real", lambda _table: where)
    walked = _Walked(0.0, [images + "/"])
    walked.setuid()
    assert [row["path"] for row in walked.setuids] == [str(tmp_path / "images-of-mine" / "su")]
    assert walked.left_out == {images}
    told = FileAudit(strict=True).plan(state(left_out=[images]))
    assert (told.failure, told.data["left_out"]) == ("", [images])
    assert told.reason.endswith("; not looked into for setuid programs: " + images)
    whole = _Walked(0.0)
    whole.setuid()
    assert len(whole.setuids) == 3


def test_recent_and_links(tmp_path):
    (tmp_path / "one").write_text("x")
    (tmp_path / "link").symlink_to("/etc/shadow")
    walked = _Walked(0.0)
    walked.recent([str(tmp_path), str(tmp_path / "missing")])
    assert sorted(row["path"] for row in walked.recents) == [str(tmp_path / "link"), str(tmp_path / "one")]
    assert walked.problems == []
