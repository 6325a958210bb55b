"""Trends, lists of what people must do, certificates and loose files."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.capacity_trend import CapacityTrend, valid
from opslib.host.tasks.certificates import Certificates, read
from opslib.host.tasks.checklist import Checklist
from opslib.host.tasks.loose_files import LooseFiles
from opslib.host.upkeep import trend
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
DAY = 86400
GIB = 1 << 30
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("task", "name", "values"),
    [
        (CapacityTrend, "paths", [["x"], ["/../x"], 5, *([word] for word in HOSTILE)]),
        (CapacityTrend, "history", [5, [], *HOSTILE]),
        (CapacityTrend, "record", ["maybe", 2, *HOSTILE]),
        (CapacityTrend, "every", ["soon", -1, [], *HOSTILE]),
        (CapacityTrend, "keep", [9, 5001, 10.5, [], *HOSTILE]),
        (CapacityTrend, "least", ["soon", -1, [], *HOSTILE]),
        (CapacityTrend, "warn", ["soon", -1, [], *HOSTILE]),
        (CapacityTrend, "fail", ["soon", -1, [], *HOSTILE]),
        (CapacityTrend, "timeout", ["soon", 0, [], *HOSTILE]),
        (Checklist, "items", [5, [5], [{}], [{"nam": "x"}], [{"name": "a\nb"}], [{"name": "x", "every": "x"}], [""]]),
        (
            Checklist,
            "items",
            [[{"name": "x", "done": "2026-02-30"}], [{"name": "x", "done": "31.1.2026"}], [{"name": "x" * 201}]],
        ),
        (Checklist, "done", [5, ["a\0b"], ["\x1b[31m"], [""]]),
        (Checklist, "by", [[], "a\0b", "a\nb", "\x1b[31m", "", "x" * 70000]),
        (Checklist, "file", [5, [], *HOSTILE]),
        (Checklist, "soon", ["soon", -1, [], *HOSTILE]),
        (Checklist, "strict", ["maybe", 2, *HOSTILE]),
        (Certificates, "files", [["x"], 5, *([word] for word in HOSTILE)]),
        (
            Certificates,
            "endpoints",
            [["a:0"], ["a:70000"], ["a"], [":443"], ["a b:1"], ["-a:1"], *([w] for w in HOSTILE)],
        ),
        (Certificates, "warn", ["soon", -1, [], *HOSTILE]),
        (Certificates, "fail", ["soon", -1, [], *HOSTILE]),
        (Certificates, "timeout", ["soon", 0, [], *HOSTILE]),
        (LooseFiles, "folders", [[], ["x"], 5, *([word] for word in HOSTILE)]),
        (LooseFiles, "ignore", [5, ["a\0b"], ["a\nb"], ["\x1b[31m"]]),
        (LooseFiles, "secrets_named", [["a/b"], ["a\0"], [""], 5]),
        (LooseFiles, "strict", ["maybe", 2, *HOSTILE]),
        (LooseFiles, "most", [0, "few", [], *HOSTILE]),
        (LooseFiles, "top", [0, 1001, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(task, name, values):
    base = {"items": ["x"]} if task is Checklist else {}
    for value in values:
        with pytest.raises(ParamError, match="^%s: %s: " % (task.name, name)):
            task(**dict(base, **{name: value}))


@pytest.mark.parametrize(
    ("task", "args", "words"),
    [
        (CapacityTrend, {"warn": "1d", "fail": "2d"}, "must not be above warn"),
        (Certificates, {"warn": "1d", "fail": "2d"}, "must not be above warn"),
        (Checklist, {"items": ["x", "x"]}, "'x' stands there twice"),
        (Checklist, {"items": ["x"], "done": ["y"]}, "there is no item 'y'; there are 'x'"),
        (Checklist, {"items": ["x"], "by": "anna"}, "by goes with done"),
        (LooseFiles, {"ignore": ["x/*"]}, "does not begin with '/'"),
    ],
)
def test_contradictions_are_refused(task, args, words):
    with pytest.raises(ParamError, match=words):
        task(**args)


# Trends


@given(st.floats(-1e6, 1e6), st.floats(0, 1e12), st.integers(3, 60))
def test_a_line_is_found_again(slope, start, count):
    line = trend.fit([(number * DAY, start + slope * number * DAY) for number in range(count)])
    assert line.per_second == pytest.approx(slope, abs=1e-3)
    assert line.least <= line.per_second <= line.most


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**15)), max_size=30))
def test_any_points_give_a_line_or_none(points):
    line = trend.fit(sorted(points))
    assert line is None or line.least <= line.per_second <= line.most
    assert len(trend.since_last_fall(points, 10**15)) <= len(points)


def test_how_sure_a_line_is():
    for values, word in (
        ([0, 1, 2, 3, 4, 5], "high"),
        ([0, 2, 1, 3, 4, 6, 5, 8], "medium"),
        ([0, 5, 1, 4, 3, 8, 3, 9], "low"),
        ([0, 9, 1, 8, 2, 9, 1, 10], "none"),
    ):
        line = trend.fit(list(enumerate(values)))
        assert (line.sure, line.per_second > 0) == (word, True), values


def samples(values, free=None, every=DAY):
    """Return samples of the disk /, a day apart, the last of them a day old."""
    begin = NOW - every * len(values)
    return [
        {"t": begin + every * n, "disks": {"/": [value, 100 * GIB - value]}, "memory": [8 * GIB, 4 * GIB]}
        for n, value in enumerate(values)
    ]


def judge(values, used, **args):
    task = CapacityTrend(record=False, **args)
    state = {
        "now": NOW,
        "path": "/x",
        "exists": True,
        "samples": samples(values),
        "mounts": [("/", used, 100 * GIB - used)],
        "problems": [],
        "memory": (8 * GIB, 4 * GIB),
    }
    return task.plan(state)


def test_a_disk_that_fills_up():
    plan = judge([(50 + day) * GIB for day in range(20)], 70 * GIB)
    (row,) = plan.data["disks"]
    assert (row["per_day_bytes"], row["sure"]) == (GIB, "high")
    assert row["full_seconds"] == pytest.approx(30 * DAY, abs=60)
    assert row["full_date"] == "2027-02-14"
    assert "/ will be full on 2027-02-14" in plan.warnings[0]
    assert plan.failure == ""
    assert "grows by 1.0 GiB a day" in judge([(50 + day) * GIB for day in range(20)], 70 * GIB, fail="31d").finding


def test_an_alarm_does_not_stop_the_samples(tmp_path):
    """Or it would outlive its cause."""
    used = os.statvfs("/").f_blocks * os.statvfs("/").f_frsize - os.statvfs("/").f_bfree * os.statvfs("/").f_frsize
    free, now, history = os.statvfs("/").f_bavail * os.statvfs("/").f_frsize, int(time.time()), tmp_path / "history"
    step = min(used, free) // 40
    rows = [
        {"t": now - day * DAY, "disks": {"/": [used - day * step, free + day * step]}, "memory": [2, 1]}
        for day in range(30, 0, -1)
    ]
    history.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = history.read_bytes()
    args = {"paths": ["/"], "history": str(history), "fail": "3650d", "warn": "3650d"}
    planned = run_step(CapacityTrend, args, True)
    assert (planned["status"], planned["changed"], history.read_bytes()) == ("failed", True, before)
    done = run_step(CapacityTrend, args, False)
    assert (done["status"], done["changed"], len(history.read_text().splitlines())) == ("failed", True, 31)
    assert " full " in planned["error"]
    assert " full " in done["error"]
    again = run_step(CapacityTrend, args, False)
    assert (again["status"], again["changed"]) == ("failed", False)


def test_chance_gives_no_date():
    wild = [(50 + (7 * day * day) % 11) * GIB for day in range(20)]
    plan = judge(wild, 52 * GIB, fail="90d")
    assert (plan.failure, plan.data["disks"][0]["full_date"]) == ("", None)
    shrinking = judge([(70 - day / 10) * GIB for day in range(20)], 68 * GIB)
    assert (shrinking.data["disks"][0]["full_date"], shrinking.warnings) == (None, [])


def test_only_what_came_after_a_clean_up_counts():
    values = [(80 + day) * GIB for day in range(10)] + [(40 + day) * GIB for day in range(10)]
    (row,) = judge(values, 50 * GIB).data["disks"]
    assert (row["samples"], row["per_day_bytes"], row["sure"]) == (11, GIB, "high")


def test_too_short_a_time():
    plan = judge([50 * GIB, 60 * GIB], 70 * GIB)
    assert plan.reason == "samples of too short a time to see a trend"
    assert plan.data["disks"][0]["full_date"] is None


def test_a_disk_that_was_emptied_lately_is_not_said_to_have_room():
    plan = judge([(75 + day) * GIB for day in range(20)] + [70 * GIB], 78 * GIB)
    assert not [row for row in plan.data["disks"] if row["samples"] > 3]
    assert plan.reason == "too little is known of / since it was last emptied; no other disk will be full soon"


def test_samples_are_recorded_and_bounded(tmp_path):
    history = tmp_path / "state" / "capacity.jsonl"
    args = {"history": str(history), "paths": ["/"], "keep": 10, "every": "1h"}
    assert run_step(CapacityTrend, args, True)["status"] == "changed"
    assert not history.exists()
    assert run_step(CapacityTrend, args, False)["status"] == "changed"
    assert run_step(CapacityTrend, args, False)["status"] == "ok"
    row = json.loads(history.read_text())
    old = [dict(row, t=row["t"] - 7200 - number) for number in range(30)]
    history.write_text("nonsense\n{}\n[1]\n" + "".join(json.dumps(each) + "\n" for each in [*old, dict(row, t=9e11)]))
    assert run_step(CapacityTrend, args, False)["status"] == "changed"
    kept = [json.loads(line)["t"] for line in history.read_text().splitlines()]
    assert (len(kept), kept == sorted(kept), kept[-1] >= row["t"]) == (10, True, True)
    assert os.listdir(str(history.parent)) == ["capacity.jsonl"]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["t", "disks", "memory"]), st.none() | st.text() | st.floats() | st.lists(st.integers())
        )
    )
)
def test_any_history_is_survived(rows):
    assert valid(rows, NOW) == []


# The checklist


def test_states_of_items():
    items = [
        {"name": "never"},
        {"name": "once", "done": "2020-01-01"},
        {"name": "fresh", "every": "30d", "done": "2027-01-01"},
        {"name": "soon", "every": "30d", "done": "2026-12-20", "by": "anna"},
        {"name": "late", "every": "30d", "done": "2026-11-15", "by": "anna"},
        {"name": "mended", "every": "30d", "done": "2026-01-01"},
        {"name": "early", "every": "30d", "done": "2026-12-20"},
    ]
    marks = {"mended": {"done": "2027-01-10", "by": "ben"}, "early": {"done": "2037-01-10", "by": "ben"}}
    plan = Checklist(items=items).plan({"now": NOW, "path": "/x", "marks": marks})  # NOW: 2027-01-15
    assert {row["name"]: (row["state"], row["next"], row["overdue_days"]) for row in plan.data["items"]} == {
        "never": ("never", None, 0),
        "once": ("done", None, 0),
        "fresh": ("done", "2027-01-31", 0),
        "soon": ("due", "2027-01-19", 0),
        "late": ("overdue", "2026-12-15", 31),
        "mended": ("done", "2027-02-09", 0),
        "early": ("due", "2027-01-19", 0),
    }
    ahead = "early is said to be done on 2037-01-10, in the future: that does not count"
    assert plan.warnings == ["never done: never", "31 days overdue: late (last done 2026-11-15 by anna)", ahead]
    assert (plan.failure, plan.data["overdue_count"]) == ("", 2)
    assert (
        "overdue: never done: never"
        in Checklist(items=items, strict=True).plan({"now": NOW, "path": "/x", "marks": marks}).failure
    )


def test_items_are_recorded_as_done(tmp_path):
    file = tmp_path / "state" / "list.json"
    args = {"items": [{"name": "Drill", "every": "90d"}, "Talk"], "file": str(file), "strict": True}
    mark = dict(args, done=["Drill"], by="anna")
    assert run_step(Checklist, mark, True)["changes"][0]["summary"] == "record 'Drill' as done today"
    assert not file.exists()
    done = run_step(Checklist, mark, False)
    # The other item is still overdue, which a strict list says when there is nothing left to record.
    assert (done["status"], done["error"]) == ("failed", "overdue: never done: Talk")
    assert run_step(Checklist, dict(args, done=["Talk", "Drill"]), False)["status"] == "changed"
    again = run_step(Checklist, dict(args, done=["Talk", "Drill"]), False)
    assert (again["status"], again["data"]["items"][0]["by"]) == ("ok", "anna")
    file.write_text('{"Drill": {"done": "soon", "by": ""}}')
    assert "is damaged" in run_step(Checklist, args, False)["error"]


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and certificate, valid for ten days, in two files."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=www.example.org"
    command += " -addext subjectAltName=DNS:www.example.org,IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=str(folder), check=True, stderr=subprocess.PIPE)
    return folder


def test_certificates_in_files(certificate):
    (row,) = read(str(certificate / "cert.pem"))
    assert (row["subject"], row["issuer"], row["names"]) == (
        "www.example.org",
        "www.example.org",
        ["www.example.org", "127.0.0.1"],
    )
    args = {"files": [str(certificate / "*.pem")], "warn": "30d", "fail": "1d"}
    result = run_step(Certificates, args, False)
    assert result["status"] == "ok", result
    assert "cert.pem (www.example.org) expires in 9 days" in result["warnings"][0]
    assert result["data"]["certificates_count"] == 1
    assert "expires in 9 days" in run_step(Certificates, dict(args, fail="11d"), False)["error"]
    (certificate / "cut.crt").write_text((certificate / "cert.pem").read_text()[:300])
    (certificate / "bad.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    told = run_step(Certificates, dict(args, files=[str(certificate / "*.crt")]), False)
    assert [text.rpartition("/")[2].partition(" in there")[0] for text in told["warnings"]] == [
        "bad.crt: a certificate",
        "cut.crt: a certificate",
    ]


@pytest.mark.parametrize("how", [["-outform", "der"], ["-trustout", "-addtrust", "serverAuth"]])
def test_certificates_of_other_forms(certificate, how):
    other = certificate / "other.form"
    subprocess.run(["openssl", "x509", "-in", certificate / "cert.pem", *how, "-out", other], check=True)
    assert [row["subject"] for row in read(str(other))] == ["www.example.org"]


def test_a_named_file_must_hold_a_certificate(certificate):
    (certificate / "key.der").write_bytes(b"0\x81\x87\x02\x01\x00")
    named = ["key.pem", "key.der", "gone.pem", "cut.pem"]
    (certificate / "cut.pem").write_text((certificate / "cert.pem").read_text()[:300])
    told = run_step(Certificates, {"files": [str(certificate / name) for name in named]}, False)
    assert [text.rpartition("/")[2] for text in told["error"].split("; ")] == [
        "key.pem holds no certificate",
        "key.der holds no certificate",
        "gone.pem cannot be read: No such file or directory",
        "cut.pem: a certificate in there is cut off",
    ]
    (certificate / "cut.pem").unlink()
    assert run_step(Certificates, {"files": [str(certificate / "key.*")]}, False)["warnings"] == []


def test_certificates_behind_ports(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate / "cert.pem"), str(certificate / "key.pem"))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as mute:
        server.settimeout(20)
        port = server.getsockname()[1]

        def serve():
            connection, _address = server.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as speaking:
                    speaking.recv(1)
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        result = run_step(Certificates, {"files": [], "endpoints": [str(port)], "fail": 0}, False)
        thread.join(20)
        assert result["data"]["certificates"][0]["where"] == "127.0.0.1:%d" % port, result
        silent = run_step(
            Certificates, {"files": [], "endpoints": ["127.0.0.1:%d" % mute.getsockname()[1]], "timeout": 0.3}, False
        )
    assert silent["status"] == "failed"
    refused = run_step(Certificates, {"files": [], "endpoints": [str(port)]}, False)
    assert "Connection refused" in refused["error"]


# Loose files


@pytest.fixture
def public():
    """A folder that anybody can enter, as pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_loose_files(public):
    tmp_path = public
    tmp_path.chmod(0o755)
    for name, mode in (("a", 0o644), ("b", 0o666), (".env", 0o644), ("c.env", 0o600), ("odd\n\x1b", 0o602)):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    for name, mode in (("sticky", 0o1777), ("open", 0o777), ("closed", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "id_rsa").write_text("")
        (tmp_path / name / "id_rsa").chmod(0o604)
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("b")
    result = run_step(LooseFiles, {"folders": [str(tmp_path), "/nowhere-at-all"]}, False)
    assert result["status"] == "ok", result
    names = [os.path.basename(row["path"]) for row in result["data"]["writable"]]
    assert sorted(names) == ["b", "odd\\n\\x1b", "open"]
    found = [row["path"][len(str(tmp_path)) + 1 :] for row in result["data"]["readable_secrets"]]
    assert sorted(found) == [".env", "open/id_rsa", "sticky/id_rsa"]
    strict = run_step(
        LooseFiles,
        {"folders": [str(tmp_path)], "strict": True, "ignore": ["*/open*".replace("*/", str(tmp_path) + "/")]},
        False,
    )
    assert "anybody can write to 2 files (folders count too)" in strict["error"]
    assert "/nowhere-at-all cannot be entered: No such file or directory" in result["warnings"]
    tmp_path.chmod(0o777)
    itself = run_step(LooseFiles, {"folders": [str(tmp_path)], "strict": True}, False)
    assert str(tmp_path) in [row["path"] for row in itself["data"]["writable"]]
    few = run_step(LooseFiles, {"folders": [str(tmp_path)], "most": 2}, False)
    assert few["data"]["complete"] is False
