"""Evidence: names of variables but never values, what changed, findings in words, and archives that are whole or not."""

from __future__ import annotations

import json
import os
import tarfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.evidence import bundle, changes, findings, spans
from opslib.host.evidence.findings import Finding
from opslib.host.evidence.gather import Evidence
from opslib.host.logs.patterns import fold
from opslib.host.params import ParamError
from opslib.host.system.listeners import Holder, Listening
from opslib.host.task import TaskError
from opslib.host.tasks.diagnose import Diagnose
from opslib.host.units import environ
from opslib.host.units.environ import Environ
from opslib.host.units.systemd import Unit

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
BAD_UNITS = [5, {"a": 1}, ["-x"], ["a b"], ["a@"], ["../x"], ["a\nb"], ["a\0b"], [""], [[]]]
BAD_PATHS = [5, {"a": 1}, ["x"], ["/a/../b"], ["/a\nb"], ["/a\0b"], [""], [[]]]
BAD_NUMBERS = [-1, 1.5, [], True, *HOSTILE]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unit", ["-x", "a b", "a@", [], *HOSTILE]),
        ("others", [*BAD_UNITS, ["x"] * 51]),
        (
            "required",
            [5, ["1A"], ["A-B"], ["A B"], ["A=B"], ["$(id)"], ["a\nb"], ["a\0b"], [""], ["\u00c4"], ["A" * 300]],
        ),
        ("ports", [["x"], [0], [65536], [True], 5.5, {"a": 1}, [1] * 51]),
        ("endpoints", [5, ["ftp://x"], ["x"], [{"url": "http://x/", "nonsense": 1}], [{"url": "http://u:p@x/"}], [5]]),
        ("logs", BAD_PATHS),
        ("lines", [0, 10001, *BAD_NUMBERS]),
        ("since", ["soon", 0, -1, [], True, *HOSTILE]),
        ("changed", ["soon", 0, -1, [], True, *HOSTILE]),
        ("releases", BAD_PATHS),
        ("paths", BAD_PATHS),
        ("write", ["maybe", 2, [], *HOSTILE]),
        ("to", ["x", "/a/../b", "/a\nb", "/a\0b", "", [], 5]),
        ("keep", [0, 10001, *BAD_NUMBERS]),
        ("max_size", ["much", "90%", -1, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^diagnose: %s: " % name):
            Diagnose(**dict({"unit": "app"}, **{name: value}))


def test_contradictions_are_refused():
    with pytest.raises(ParamError, match="to /tmp is no folder for evidence"):
        Diagnose(unit="app", to="/tmp")
    with pytest.raises(ParamError, match="max_size 5 bytes holds no evidence"):
        Diagnose(unit="app", max_size=5)


def test_parameters_stay_the_same_and_secrets_are_not_shown():
    check = {"url": "http://x/", "request_headers": {"X-Token": "canary-1"}}
    task = Diagnose(unit="app", ports="8000,8001", endpoints=[check, "http://y/"], required="A,B")
    assert (task.ports, task.required) == ([8000, 8001], ["A", "B"])
    assert Diagnose(**task.args()) == task
    assert "canary-1" in list(task.secrets())
    assert "canary" not in repr(task)


# The environment

# As systemctl show printed it (systemd 252)
SHOWN = """\
Environment=A=1 "B=two words" C=x=y
EnvironmentFiles=/etc/shop.env (ignore_errors=no)
EnvironmentFiles=/etc/default/my shop (ignore_errors=yes)
"""


def test_what_a_unit_file_gives():
    given, files = environ.parse_show(SHOWN)
    assert given == {"A": "1", "B": "two words", "C": "x=y"}
    assert files == [("/etc/shop.env", False), ("/etc/default/my shop", True)]
    # Environment="DB_PASSWORD=pa$$word12" "B=\\\\$`x" as systemctl 252 shows it.
    given, _files = environ.parse_show('Environment="DB_PASSWORD=pa\\$\\$word12" "B=\\\\\\$\\`x"')
    assert given == {"DB_PASSWORD": "pa$$word12", "B": "\\$`x"}
    assert environ.parse_show('Environment="broken\nEnvironmentFiles=')[1] == []


def test_environment_files_may_be_named_by_a_pattern(tmp_path, monkeypatch):
    for name, text in (("a.env", "TOKEN=canary-one"), ("b.env", "KEY=canary-two"), ("c.txt", "KEY=three")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(environ, "_show", lambda _unit: "EnvironmentFiles=%s/*.env (ignore_errors=yes)" % tmp_path)
    assert environ.of_unit("shop.service", 0).secrets == {"canary-one", "canary-two"}


def test_names_are_told_and_values_are_not():
    found = Environ(
        running={"PATH": "/bin", "API_KEY": "canary-old", "EMPTY": "", "SECRET_X": "same-value"},
        given={"API_KEY": "canary-new", "SECRET_X": "same-value", "LATE": "1"},
    )
    facts = found.facts(["API_KEY", "EMPTY", "LATE", "NOWHERE"])
    assert facts["missing"] == ["LATE", "NOWHERE"]
    assert facts["empty"] == ["EMPTY"]
    assert facts["changed_since_start"] == ["API_KEY", "LATE"]
    assert "canary" not in json.dumps(facts)
    assert found.secrets == {"canary-old", "canary-new", "same-value"}


def test_a_title_over_the_environment_blames_nothing():
    assert environ.parse_block(b"nginx: master process x=y\0\0\0") is None
    begun = b"PATH=/bin\0INVOCATION_ID=5\0A=\xff\0=x\0"
    assert environ.parse_block(begun) == {"PATH": "/bin", "INVOCATION_ID": "5", "A": "\udcff"}
    found = Environ(known=False, given={"A": ""}, problems=["it is not known"])
    facts = found.facts(["A", "B"])
    assert (facts["missing"], facts["empty"], facts["changed_since_start"]) == ([], [], [])
    words = [one.words for one in findings.of_environment(unit(), facts)]
    assert words == ["it is not known", "its files do not give B; whether the process has that is not known"]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("plain-text", []),
        ("https://status.example.com/x", []),
        ("postgresql://u:geheim@h/d", ["postgresql://u:geheim@h/d", "geheim"]),
        ("postgresql://u:a%40b@h/d", ["postgresql://u:a%40b@h/d", "a%40b", "a@b"]),
        ("https://h/hook?token=x", ["https://h/hook?token=x"]),
        ("postgresql://u:ge/heim@h/d", ["postgresql://u:ge/heim@h/d", "ge/heim"]),
        ("postgresql://u:g@h@e/im@h/d", ["postgresql://u:g@h@e/im@h/d", "g@h@e/im"]),
        ("https://h:8080/@me", []),
        ("https://h/users/@me", []),
        ("https://key@errors.example.com/1", ["https://key@errors.example.com/1", ""]),
        (
            "https://tok3n-of-somebody@git.example.com/x",
            ["https://tok3n-of-somebody@git.example.com/x", "tok3n-of-somebody"],
        ),
        ("host=db user=u password=geheim dbname=d", ["host=db user=u password=geheim dbname=d", "geheim"]),
        ("host=db password = 'ge heim'", ["host=db password = 'ge heim'", "ge heim"]),
        ("Server=db;Pwd=geheim;Database=d", ["Server=db;Pwd=geheim;Database=d", "geheim"]),
        (
            "postgresql://h/d?password=geheim&sslmode=require",
            ["postgresql://h/d?password=geheim&sslmode=require", "geheim"],
        ),
    ],
)
def test_parts_of_secrets(value, parts):
    assert list(environ.secret_parts(value)) == parts


def test_what_is_secret_by_its_name_or_by_its_form():
    given = {
        "SLACK_WEBHOOK_URL": "https://hooks.example.com/T0/B0/xyz",
        "STATUS_URL": "https://status.example.com/x",
        "BROKER": "amqp://u:kaninchen@mq/",
        "API_TOKEN": "tokentoken",
        "PWD": "/srv/secret",
        "MODE": "production",
    }
    found = {"https://hooks.example.com/T0/B0/xyz", "amqp://u:kaninchen@mq/", "kaninchen", "tokentoken"}
    assert Environ(given=given).secrets == found


def test_a_secret_does_not_show_in_patterns_of_messages():
    """Where its digits are put as placeholders."""
    found = Evidence(0.0)
    found.secrets = {"Tr0ub4dor&Zeta", "12345678"}
    found.data = {"pattern": fold("rejected key Tr0ub4dor&Zeta, 7 of 12345678")}
    found.masked()
    assert found.data == {"pattern": "rejected key ***, <n> of <n>"}


def test_a_secret_across_the_end_of_what_is_shown_of_a_line_does_not_show_in_part():
    found = Evidence(0.0)
    found.secrets = {"kaninchen-kaninchen"}
    found.sections = {"logs/a.log": "x" * 1990 + "kaninchen-kaninchen and more\n"}
    found.masked()
    assert found.sections["logs/a.log"] == "x" * 1990 + "*** and mo" + "\n"


# What changed

DPKG = """\
2026-01-02 03:04:05 startup archives unpack
2026-01-02 03:04:06 upgrade libssl3:amd64 3.0.1 3.0.2
2026-01-02 03:04:06 status half-configured libssl3:amd64 3.0.1
2026-01-02 03:04:07 install jq:amd64 <none> 1.6
2026-01-02 03:04:08 remove nano:amd64 7.2 <none>
nonsense
2026-99-99 03:04:08 remove nano:amd64 7.2 <none>
"""


def test_packages():
    rows = changes.parse_dpkg(DPKG, 0)
    assert [(row["act"], row["package"], row["before"], row["after"]) for row in rows] == [
        ("upgrade", "libssl3:amd64", "3.0.1", "3.0.2"),
        ("install", "jq:amd64", "", "1.6"),
        ("remove", "nano:amd64", "7.2", ""),
    ]
    assert changes.parse_dpkg(DPKG, 9e9) == []


def test_releases():
    rows = [
        {"app": "shop", "id": "r1", "commit": "a" * 40, "ref": "v1", "at": "2026-01-02T03:04:05Z", "outcome": "good"},
        {"id": "r2", "at": "2026-01-03T03:04:05Z", "act": "found"},
        {"id": "r3", "at": "2026-01-03T03:04:05Z", "switched": False},
        {"id": "r4", "began": "2026-01-04T03:04:05Z", "at": "2026-01-04T03:09:05Z", "switched": True},
        {"id": "r5"},
        {"at": 1767409445},
    ]
    found = changes.parse_records("\n".join(map(json.dumps, rows)) + "\n{cut")
    assert [(one.id, one.application, int(one.at)) for one in found] == [
        ("r1", "shop", 1767323045),
        ("r4", "", 1767495845),
    ]
    assert found[0].label == "v1 (aaaaaaaaaaaa)"
    assert changes.parse_records(json.dumps(rows))[0] == found[0]


@given(st.text(max_size=300))
def test_any_record_is_read(text):
    changes.parse_records(text)
    changes.parse_dpkg(text, 0)


def test_records_are_found_and_links_are_not_followed(tmp_path):
    (tmp_path / "shop").mkdir()
    row = {"id": "r1", "at": 1767323045}
    (tmp_path / "shop" / "history.jsonl").write_text(json.dumps(row))
    (tmp_path / "outside.json").write_text(json.dumps(dict(row, id="r2")))
    (tmp_path / "shop" / "link.json").symlink_to(tmp_path / "outside.json")
    os.mkfifo(str(tmp_path / "shop" / "pipe.json"))
    assert [one.id for one in changes.releases([str(tmp_path / "shop"), str(tmp_path / "nowhere")])] == ["r1"]
    assert [one.id for one in changes.releases([str(tmp_path / "outside.json")])] == ["r2"]
    unread = changes.unread([str(tmp_path), str(tmp_path / "nowhere"), changes.RELEASES])
    assert unread == ["releases: %s/nowhere: No such file or directory" % tmp_path]


def test_of_too_many_logs_it_is_told_how_many_are_left_out(tmp_path):
    for number in range(52):
        (tmp_path / ("%d.log" % number)).write_text("x\n")
    found = Evidence(0.0)
    found.logs([str(tmp_path)], 10, 3600)
    assert len(found.data["logs"]) == 50
    words = [one.words for one in found.found]
    assert "log files: the ends of 2 more are not kept; name fewer" in words
    found.changes([str(tmp_path / "nowhere")], 60)
    assert "releases: %s/nowhere: No such file or directory" % tmp_path in [one.words for one in found.found]


# Findings


def unit(**values):
    return Unit(**dict({"name": "app.service", "id": "app.service", "load": "loaded", "active": "active"}, **values))


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        (unit(), []),
        (unit(load="not-found", active="inactive"), ["no_unit"]),
        (unit(active="failed", result="start-limit-hit"), ["start_limit"]),
        (unit(active="activating", sub="auto-restart", restarts=3, result="exit-code"), ["crash_loop"]),
        (unit(active="failed", result="exit-code", exit_code=1, exit_status=3), ["failed"]),
        (unit(active="inactive"), ["stopped"]),
        (unit(active="inactive", type="oneshot"), []),
        (unit(restarts=2, active_since=900.0), ["restarted"]),
        (unit(reload_needed=True), ["file_changed"]),
    ],
)
def test_units(found, kinds):
    assert [one.kind for one in findings.of_unit(found, [], 1000.0)] == kinds


def test_ports():
    taken = Listening(port=80, found=True, holders=(Holder(pid=5, program="nc", unit="x.service"),))
    (one,) = findings.of_port(unit(), taken)
    assert one.words == "port 80 is held by nc (pid 5, x.service), not by app.service"
    assert [one.kind for one in findings.of_port(unit(), Listening(port=80))] == ["port_silent"]
    assert list(findings.of_port(unit(), Listening(port=80, found=True, own=True))) == []


def test_advice_goes_to_the_cause():
    kinds = ["endpoint", "failed", "missing_variable", "port_conflict"]
    found = [Finding(kind=kind, words="x") for kind in kinds]
    assert findings.advice(found).startswith("stop what holds the port")
    assert findings.advice(found[:3]).startswith("give the missing variables")
    assert findings.advice([]) == "nothing on this host asks for an act"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (59.9, "1 minute"), (239, "4 minutes"), (3599.99, "1 hour"), (90000, "1 day")],
)
def test_ago(seconds, words):
    assert spans.ago(seconds) == words


# Archives

SECTIONS = [("summary.txt", b"all is lost\n"), ("logs/x.log", b"line\n" * 1000)]


def test_bundles_are_private_and_old_ones_go(tmp_path):
    folder = str(tmp_path / "deep" / "evidence")
    assert bundle.names(folder) == ([], "")
    names = []
    for number in range(3):
        name = bundle.name_for(1.8e9, names)
        names.append(name)
        assert bundle.write(folder, name, SECTIONS, 1.8e9 + number) > 0
    assert names[0] == "evidence-20270115-080000.tar.gz"
    path = tmp_path / "deep" / "evidence"
    assert (path.stat().st_mode & 0o777, (path / names[0]).stat().st_mode & 0o777) == (0o700, 0o600)
    assert os.readlink(str(path / bundle.LATEST)) == names[2]
    with tarfile.open(str(path / names[2])) as tar:
        assert sorted(tar.getnames()) == ["evidence-20270115-080002/logs/x.log", "evidence-20270115-080002/summary.txt"]
    (path / "mine.tar.gz").write_text("x")
    (path / "evidence-20990101-000000.tar.gz").write_text("of a wrong clock")
    assert bundle.prune(folder, 4, names[2]) == []
    assert bundle.prune(folder, 2, names[2]) == names[:2]
    assert bundle.prune(folder, 1, names[2]) == ["evidence-20990101-000000.tar.gz"]
    assert sorted(os.listdir(folder)) == sorted([names[2], bundle.LATEST, "mine.tar.gz"])


def test_what_was_cut_short_is_swept_up_and_nothing_else(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir(mode=0o700)
    (folder / "evidence-20270115-080000.tar.gz.partial").write_text("half")
    (folder / "others.partial").write_text("x")
    bundle.write(str(folder), "evidence-20270115-080001.tar.gz", SECTIONS, 1.8e9)
    left = set(os.listdir(str(folder)))
    assert left == {"evidence-20270115-080001.tar.gz", "others.partial", bundle.LATEST}


def test_a_bundle_that_fails_leaves_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "evidence"
    folder.mkdir(mode=0o700)

    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TaskError, match="No space left"):
        bundle.write(str(folder), "evidence-20270115-080001.tar.gz", SECTIONS, 1.8e9)
    assert os.listdir(str(folder)) == []


def test_folders_of_others_and_links_are_refused(tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    with pytest.raises(TaskError, match="has mode 0755; evidence goes to a folder of our own, mode 0700"):
        bundle.write(str(open_to_all), "evidence-20270115-080001.tar.gz", SECTIONS, 1.8e9)
    assert "mode 0755" in bundle.names(str(open_to_all))[1]


def test_two_runs_at_once(tmp_path):
    import fcntl

    folder = tmp_path / "evidence"
    folder.mkdir(mode=0o700)
    fd = os.open(str(folder), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(TaskError, match="another run is writing"):
            bundle.write(str(folder), "evidence-20270115-080001.tar.gz", SECTIONS, time.time())
    finally:
        os.close(fd)


@given(st.lists(st.text(max_size=200), max_size=20))
def test_member_names_are_flat_and_differ(paths):
    taken = set()
    for path in paths:
        name = bundle.member_name(path, taken)
        assert name.isprintable()
        assert "/" not in name
        assert name not in taken
        taken.add(name)
