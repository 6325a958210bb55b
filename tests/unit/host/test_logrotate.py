"""A logrotate configuration is tried before it is put in place, and a forced rotation has to show."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host import command
from opslib.host.logs import rotate_file as logrotate_file
from opslib.host.logs import rotate_text as logrotate_text
from opslib.host.logs import rotate_trial as logrotate_trial
from opslib.host.logs.rotate_trial import Trial
from opslib.host.params import ParamError
from opslib.host.task import TaskError
from opslib.host.tasks.logrotate import Logrotate
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
real = pytest.mark.skipif(not command.which("logrotate"), reason="logrotate is not installed")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("config", ["a b", "a/b", ".app", True, [], "x" * 201, *HOSTILE]),
        (
            "paths",
            [[], ["a.log"], ['/a"b'], ["/a{b"], ["/a\\b"], ["/a\0"], ["/"], [""], 5, {"a": 1}, ["/a"] * 1001, *HOSTILE],
        ),
        ("state", ["there", True, [], *HOSTILE]),
        ("frequency", ["often", True, 1, [], *HOSTILE]),
        ("rotate", ["all", -1, 1.5, True, [], 10**9, *HOSTILE]),
        ("size", ["large", -1, "5%", True, [], *HOSTILE]),
        ("maxsize", ["large", -1, "5%", True, [], *HOSTILE]),
        ("minsize", ["large", -1, "5%", True, [], *HOSTILE]),
        ("maxage", ["old", 0, -1, 1.5, True, [], *HOSTILE]),
        ("compress", ["maybe", 2, [], *HOSTILE]),
        ("delaycompress", ["maybe", 2, [], *HOSTILE]),
        ("dateext", ["maybe", 2, [], *HOSTILE]),
        ("missingok", ["maybe", 2, [], *HOSTILE]),
        ("notifempty", ["maybe", 2, [], *HOSTILE]),
        ("copytruncate", ["maybe", 2, [], *HOSTILE]),
        ("create", [640, "0999", "rw-r-----", True, [], *HOSTILE]),
        ("owner", ["a b", "a/b", True, [], "x" * 33, *HOSTILE]),
        ("group", ["a b", "a/b", True, [], "x" * 33, *HOSTILE]),
        ("su_user", ["a b", "a/b", True, [], "x" * 33, *HOSTILE]),
        ("su_group", ["a b", "a/b", True, [], "x" * 33, *HOSTILE]),
        ("sharedscripts", ["maybe", 2, [], *HOSTILE]),
        (
            "postrotate",
            [[], "", [""], ["a\nb"], "endscript", ["\tendscript;"], "a\0b", "\x1b", 5, {"a": 1}, "x" * 70000],
        ),
        ("force", ["maybe", 2, [], *HOSTILE]),
        ("timeout", ["soon", 0, -1, True, [], *HOSTILE]),
        ("backup", ["maybe", 2, [], *HOSTILE]),
        ("folder", ["etc", "/a/../b", True, [], *HOSTILE]),
        ("main", ["etc", "/a/../b", True, [], *HOSTILE]),
        ("status_file", ["etc", "/a/../b", True, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^logrotate: %s: " % name):
            Logrotate(**dict({"config": "app", "paths": ["/a.log"]}, **{name: value}))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"paths": None}, "paths: give the logs to rotate"),
        ({"config": None}, "config is required"),
        ({"config": "app.bak"}, "config app.bak ends like the files that logrotate does not read"),
        ({"config": "app.dpkg-old"}, "ends like"),
        ({"state": "absent", "force": True}, "force has nothing to rotate when state is absent"),
        ({"size": "1M", "frequency": "daily"}, "size excludes frequency"),
        ({"size": "1M", "maxsize": "2M"}, "size excludes"),
        ({"size": "1M", "minsize": 0}, "size excludes"),
        ({"minsize": "2M", "maxsize": "2M"}, "minsize 2097152 must be below maxsize 2097152"),
        ({"copytruncate": True, "create": "0640"}, "create has no effect with copytruncate"),
        ({"owner": "app"}, "owner needs create"),
        ({"create": "0640", "group": "app"}, "group needs owner"),
        ({"su_user": "app"}, "su_user and su_group go together"),
        ({"su_group": "app"}, "su_user and su_group go together"),
        ({"sharedscripts": True}, "sharedscripts needs postrotate"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        Logrotate(**dict({"config": "app", "paths": ["/a.log"]}, **args))


def test_the_least_that_can_be_said():
    assert Logrotate(config="app", paths="/srv/app/logs/*.log").text() == logrotate_text.MANAGED + (
        "/srv/app/logs/*.log\n{\n    daily\n    rotate 14\n    compress\n    delaycompress\n    missingok\n"
        "    notifempty\n}\n"
    )


def test_everything_that_can_be_said():
    task = Logrotate(
        config="app",
        paths=["/a b.log", "/c.log"],
        frequency="weekly",
        rotate=0,
        maxsize="100M",
        minsize="1k",
        maxage=30,
        compress=False,
        dateext=False,
        missingok=False,
        notifempty=False,
        copytruncate=False,
        create="640",
        owner="app",
        group="adm",
        su_user="app",
        su_group="adm",
        sharedscripts=True,
        postrotate=["true", "false"],
    )
    assert task.text() == logrotate_text.MANAGED + (
        '"/a b.log"\n/c.log\n{\n    weekly\n    rotate 0\n    maxsize 100M\n    minsize 1k\n    maxage 30\n'
        "    nocompress\n    nodateext\n    nomissingok\n    ifempty\n    nocopytruncate\n    sharedscripts\n"
        "    create 0640 app adm\n    su app adm\n    postrotate\ntrue\nfalse\n    endscript\n}\n"
    )
    assert "daily" not in Logrotate(config="app", paths=["/a"], size="1M").text()


# The plan

FILES = st.one_of(
    st.none(),
    st.sampled_from(["a symbolic link", "no regular file"]).map(lambda odd: {"odd": odd}),
    st.builds(
        lambda text, mode, uid: {"odd": "", "text": text, "access": (mode, uid, 0)},
        st.one_of(st.text(max_size=5), st.just(Logrotate(config="app", paths=["/a.log"]).text())),
        st.sampled_from([0o644, 0o664]),
        st.sampled_from([0, 1000]),
    ),
)
TRIALS = st.builds(
    lambda errors, warnings, logs, due: Trial(errors=errors, warnings=warnings, logs=logs, due=due),
    st.lists(st.just("app:1 bad"), max_size=1),
    st.lists(st.just("remark"), max_size=1),
    st.lists(st.tuples(st.sampled_from(["/a.log", "/b\x1b.log"]), st.sampled_from(["rotate", "missing"])), max_size=2),
    st.just([]),
)
STATES = st.builds(
    lambda file, trial, leftover, before: {
        "file": file,
        "trial": trial,
        "leftover": leftover,
        "before": before,
        "owner": (0, 0),
        "rotated": [],
        "hourly": False,
    },
    FILES,
    TRIALS,
    st.booleans(),
    st.dictionaries(st.sampled_from(["/a.log", "/b\x1b.log"]), st.just((1, 2, 3)), max_size=2),
)
TASKS = st.one_of(
    st.builds(lambda force: Logrotate(config="app", paths=["/a.log"], force=force), st.booleans()),
    st.just(Logrotate(config="app", state="absent")),
)


@settings(max_examples=500)
@given(TASKS, STATES)
def test_a_plan_leads_where_it_says(task, state):
    plan = task.plan(state)
    assert repr(plan) == repr(task.plan(state))
    assert bool(plan.changes) + bool(plan.failure) + bool(plan.reason) == 1
    assert all(change.summary.isprintable() for change in plan.changes)
    if plan.failure:
        return
    after = dict(state, leftover=False)
    for change in plan.changes:
        if change.kind in ("create", "modify"):
            after["file"] = {"odd": "", "text": task.text(), "access": (0o644, 0, 0)}
        elif change.kind == "remove" and change.detail is not None:
            after["file"] = None
    assert [change.kind for change in task.plan(after).changes if change.kind != "action"] == []
    assert (after["file"] is None) is (task.state == "absent")


@given(STATES)
def test_what_logrotate_refuses_is_never_put_in_place(state):
    plan = Logrotate(config="app", paths=["/a.log"], force=True).plan(state)
    assert not (plan.changes and (state["trial"].errors or (state["file"] or {}).get("odd")))


def test_a_glob_that_matches_rotated_logs_and_an_hourly_one_are_remarked_upon():
    state = {
        "file": None,
        "trial": Trial(),
        "leftover": False,
        "before": {},
        "owner": (0, 0),
        "rotated": [],
        "hourly": True,
    }
    warnings = Logrotate(config="app", paths=["/a/*"], frequency="hourly").plan(state).warnings
    assert [warning.split(":")[0].split(" also")[0] for warning in warnings] == ["hourly", "a glob that ends in *"]


# What it does


class Host:
    """A scratch folder of configurations, with a main configuration that includes it, and logs."""

    def __init__(self, folder):
        self.folder, self.logs, self.main = folder / "etc", folder / "logs", folder / "logrotate.conf"
        self.folder.mkdir()
        self.logs.mkdir()
        self.main.write_text("weekly\nrotate 4\ncreate\ninclude %s\n" % self.folder)
        self.main.chmod(0o644)
        self.args = {"folder": str(self.folder), "main": str(self.main), "status_file": str(folder / "status")}

    def put(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def step(self, check=False, config="app", **args):
        args = dict({"paths": [str(self.logs / "*.log")]} if args.get("state") != "absent" else {}, **args)
        return run_step(Logrotate, dict(self.args, config=config, **args), check)

    def names(self, folder):
        return sorted(os.listdir(str(folder)))


@pytest.fixture
def host(tmp_path):
    tmp_path.chmod(0o755)
    return Host(tmp_path)


@real
def test_check_then_run_then_nothing_is_left_to_do_then_absent(host):
    (host.logs / "a.log").write_text("line\n")
    assert host.step(check=True)["status"] == "changed"
    assert host.names(host.folder) == []
    ran = host.step()
    assert (ran["status"], ran["error"], ran["warnings"]) == ("changed", None, [])
    path = host.folder / "app"
    assert path.read_text() == ran["changes"][0]["after"]
    assert path.stat().st_mode & 0o7777 == 0o644
    again = host.step()
    assert (again["status"], again["changes"]) == ("ok", [])
    assert again["reason"] == "%s is as it should be; it covers 1 log" % path
    assert again["data"]["logs"] == [str(host.logs / "a.log")]
    assert host.step(check=True, state="absent")["status"] == "changed"
    assert path.exists()
    assert host.step(state="absent")["status"] == "changed"
    assert host.step(state="absent")["reason"] == "there is no %s" % path
    assert host.names(host.folder) == []


@real
def test_a_file_edited_by_hand_is_shown_replaced_and_kept_when_asked(host):
    host.step()
    host.put("app", "/tmp/none.log {\n    daily\n    missingok\n}\n")
    ran = host.step(backup=True)
    assert (ran["changes"][0]["before"][:13], ran["changes"][0]["kind"]) == ("/tmp/none.log", "modify")
    assert (host.folder / "app~").read_text().startswith("/tmp/none.log")
    assert host.step(backup=True)["status"] == "ok"


@real
def test_wrong_access_is_mended(host):
    host.step()
    (host.folder / "app").chmod(0o666)
    ran = host.step()
    assert ran["changes"][0]["summary"] == "set mode and owner of %s/app" % host.folder
    assert (host.folder / "app").stat().st_mode & 0o7777 == 0o644


@real
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"su_user": "nobody-here", "su_group": "root"}, "unknown user 'nobody-here'"),
        ({"create": "0640", "owner": "root", "group": "nobody-here"}, "unknown group 'nobody-here'"),
        ({"missingok": False, "paths": ["/nowhere/a.log"]}, "failed: No such file"),
        ({"paths": None}, "duplicate log entry"),
        ({"postrotate": ["if true; then"]}, "postrotate is no shell script: "),
    ],
)
def test_what_logrotate_refuses_fails_with_its_words_and_touches_nothing(host, args, words):
    host.put("app", "old")
    if "paths" in args and args["paths"] is None:
        (host.logs / "a.log").write_text("")
        args = {"paths": [str(host.logs / "a.log"), str(host.logs / "*.log")]}
    ran = host.step(**args)
    assert (ran["status"], ran["changed"]) == ("failed", False)
    assert ran["error"].startswith("logrotate refuses %s/app: " % host.folder) or words in ran["error"]
    assert words in ran["error"] and "/proc/" not in ran["error"]
    assert (host.folder / "app").read_text() == "old"


@real
@as_root
def test_a_folder_that_others_may_write_to_needs_su(host):
    (host.logs / "a.log").write_text("line\n")
    host.logs.chmod(0o777)
    assert "insecure permissions" in host.step()["error"]
    assert host.step(su_user="root", su_group="root")["error"] is None


@real
@pytest.mark.parametrize("other", ["aaa", "zzz"])
def test_a_log_that_another_configuration_claims_is_found(host, other):
    (host.logs / "a.log").write_text("line\n")
    host.put(other, "%s/a.log {\n    daily\n}\n" % host.logs)
    ran = host.step()
    assert "duplicate log entry for %s/a.log" % host.logs in ran["error"]
    assert host.names(host.folder) == [other]
    os.rename(str(host.folder / other), str(host.folder / (other + ".bak")))
    assert host.step()["status"] == "changed"
    os.rename(str(host.folder / (other + ".bak")), str(host.folder / other))
    ran = host.step()
    assert (ran["status"], ran["changed"], "duplicate" in ran["error"]) == ("failed", False, True)


@real
def test_errors_of_others_are_not_held_against_the_candidate(host):
    host.put("bad", "/none {\n    dayly\n    su nobody-here root\n}\n")
    host.main.write_text("weekly\nnonsense\ninclude %s\n" % host.folder)
    assert host.step()["error"] is None


@real
def test_what_logrotate_does_not_read_is_remarked_upon(host):
    host.step()
    host.main.write_text("tabooext + app\ninclude %s\n" % host.folder)
    assert host.step()["warnings"] == ["logrotate does not read %s/app as it is now" % host.folder]
    host.main.write_text("weekly\n")
    assert "does not include" in host.step()["warnings"][0]
    host.main.unlink()
    assert "there is no" in host.step()["warnings"][0]


@real
def test_quoted_names_reach_logrotate(host):
    names = ["with space.log", "quote's.log", "\u00fcmlaut.log", "#$HOME.log"]
    for name in names:
        (host.logs / name).write_text("line\n")
    ran = host.step(paths=[str(host.logs / name) for name in names])
    assert (ran["error"], sorted(ran["data"]["logs"])) == (None, sorted(str(host.logs / name) for name in names))


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_regular_file_is_not_replaced(host, kind, monkeypatch):
    monkeypatch.setattr(logrotate_trial, "hold", lambda *_words: Trial())
    path = host.folder / "app"
    {"link": lambda: path.symlink_to(host.main), "folder": path.mkdir, "pipe": lambda: os.mkfifo(str(path))}[kind]()
    for args in ({}, {"state": "absent"}):
        ran = host.step(**args)
        assert (ran["status"], ran["changed"]) == ("failed", False)
        assert "move it away first" in ran["error"]
    assert os.path.lexists(str(path))


def test_a_missing_folder_and_a_missing_logrotate_are_errors(host, monkeypatch):
    assert host.step(folder="/nowhere")["error"] == "there is no folder /nowhere; is logrotate installed?"
    assert host.step(folder="/nowhere", state="absent")["status"] == "ok"
    monkeypatch.setattr(command, "which", lambda _program: "")
    assert host.step()["error"] == "logrotate is not installed on this host"
    assert host.step(state="absent")["status"] == "ok"


def test_a_file_changed_meanwhile_is_not_overwritten(host, monkeypatch):
    monkeypatch.setattr(logrotate_trial, "hold", lambda *_words: Trial())
    task = Logrotate(config="app", paths=["/a.log"], **host.args)
    (change,) = task.plan(task.probe()).changes
    host.put("app", "someone was quicker")
    with pytest.raises(TaskError, match="was changed meanwhile"):
        task.apply(change)
    assert (host.folder / "app").read_text() == "someone was quicker"


@pytest.mark.parametrize("point", ["open", "write", "fchmod", "fsync", "rename"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_anywhere_the_old_or_the_new_file_is_there_and_the_next_run_mends(host, monkeypatch, point, state):
    monkeypatch.setattr(logrotate_trial, "hold", lambda *_words: Trial())
    host.put("app", "old")
    pid = os.fork()
    if pid == 0:
        try:
            task = Logrotate(config="app", paths=["/a.log"], **host.args)
            changes = task.plan(task.probe()).changes
            kept = os.open
            setattr(
                os,
                point,
                lambda *words, **named: (
                    os._exit(9) if point != "open" or words[1] & os.O_CREAT else kept(*words, **named)
                ),
            )
            for change in changes:
                task.apply(change)
        finally:
            os._exit(1)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9
    assert (host.folder / "app").read_text() == "old"
    assert all(name == "app" or name.endswith("~") and name[0] != "." for name in host.names(host.folder))
    assert host.step(state=state)["error"] is None
    assert host.names(host.folder) == (["app"] if state == "present" else [])


# Forced rotations


@real
@pytest.mark.parametrize(
    "args", [{}, {"copytruncate": True}, {"dateext": True}, {"rotate": 0}, {"delaycompress": False}]
)
def test_a_forced_rotation_rotates_and_says_what(host, args):
    (host.logs / "a.log").write_text("line\n" * 100)
    (host.logs / "empty.log").write_text("")
    checked = host.step(check=True, force=True, **args)
    assert [change["kind"] for change in checked["changes"]] == ["create", "action"]
    assert host.names(host.logs) == ["a.log", "empty.log"] and host.names(host.folder) == []
    ran = host.step(force=True, **args)
    assert (ran["status"], ran["error"]) == ("changed", None)
    assert ran["changes"][1]["summary"] == "rotate 1 log of %s/app now: %s/a.log" % (host.folder, host.logs)
    assert ran["data"]["rotated"] == [str(host.logs / "a.log")]
    assert (host.logs / "a.log").stat().st_size == 0
    assert len(host.names(host.logs)) == (2 if args == {"rotate": 0} else 3)
    assert os.path.exists(host.args["status_file"])
    again = host.step(force=True, **args)
    assert (again["status"], again["reason"]) == (
        "ok",
        "%s/app is as it should be; it covers 2 logs, none of which is to be rotated" % host.folder,
    )


@real
def test_a_forced_rotation_runs_the_script_once_for_each_log(host):
    for name in ("a.log", "b.log"):
        (host.logs / name).write_text("line\n")
    seen = host.logs / "seen"
    assert host.step(force=True, postrotate=['echo "$1" >> %s' % seen])["error"] is None
    assert seen.read_text().split() == [str(host.logs / "a.log"), str(host.logs / "b.log")]


@real
@pytest.mark.parametrize("failing", ["exit 3", "kill -9 $PPID"])
def test_a_rotation_that_fails_says_so(host, failing):
    (host.logs / "a.log").write_text("line\n")
    ran = host.step(force=True, postrotate=[failing])
    assert (ran["status"], ran["changed"]) == ("failed", True)
    assert ran["error"].startswith("logrotate --force ended with code ")


@real
def test_a_second_rotation_of_the_day_is_not_claimed(host):
    for _turn in range(2):
        (host.logs / "a.log").write_text("line\n")
        ran = host.step(force=True, dateext=True, delaycompress=False, compress=False)
    assert "already exists, skipping rotation" in ran["error"]


@real
def test_a_rotation_beside_another_is_refused(host):
    import fcntl

    (host.logs / "a.log").write_text("line\n")
    with open(host.args["status_file"], "w") as status:
        os.chmod(host.args["status_file"], 0o640)  # logrotate locks none that others may read
        fcntl.flock(status, fcntl.LOCK_EX)
        assert "another logrotate is at work" in host.step(force=True)["error"]


def test_a_rotation_that_did_not_show_fails(host, monkeypatch):
    log = host.logs / "a.log"
    log.write_text("line\n")
    monkeypatch.setattr(logrotate_trial, "hold", lambda *_words: Trial(due=[str(log)]))
    monkeypatch.setattr(
        "opslib.host.tasks.logrotate.run", lambda *_words, **_more: command.Completed(argv=(), code=0, out="", err="")
    )
    assert host.step(force=True)["error"] == "not rotated, though logrotate reported no error: %s" % log


def test_the_candidate_leaves_no_trace(host):
    with logrotate_trial.Memory() as memory:
        path = memory.put("text", "name")
        with open(path) as file:
            assert file.read() == "text"
        assert os.stat(path).st_mode & 0o7777 == 0o600
    assert not os.path.exists(path)
    assert logrotate_file.MODE == 0o644
