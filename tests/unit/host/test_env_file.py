"""Variables of an environment file are set, removed and rotated, and every other line stays."""

from __future__ import annotations

import os
import stat
import subprocess
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opslib.host.files import env_file as env_files
from opslib.host.files import env_text, private
from opslib.host.params import ParamError
from opslib.host.tasks import env_file
from opslib.host.tasks.env_file import EnvFile
from opslib.host.words import utc
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
ORIGINAL = """# The dashboard's settings.
LOG_LEVEL=info

; secrets
TOKEN='single $quoted'   'twice'
  SPACED = a b \t
URL="http://x/?a=\\$b\\"c"
LONG=one\\
two
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "env"
    path.write_text(ORIGINAL)
    path.chmod(0o600)
    return path


def run(path, check=False, **args):
    return run_step(EnvFile, dict(args, path=str(path)), check)


def done(path, **args):
    """Check, run, and run again; return the result of the run."""
    before = path.read_bytes() if path.exists() else None
    planned = run(path, True, **args)
    assert planned["status"] == "changed", planned
    assert (path.read_bytes() if path.exists() else None) == before
    result = run(path, **args)
    assert result["status"] == "changed", result
    assert [change["summary"] for change in result["changes"]] == [change["summary"] for change in planned["changes"]]
    again = run(path, **args)
    assert (again["status"], again["reason"]) == ("ok", "%s is as it should be" % path), again
    return result


# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("path", ["relative", "/a/../b", "/a\0", "/a\nb", "", 5, []]),
        ("set", ["A=1", ["A"], {"": "1"}, {"A": "a\0"}, {"A": "\udcff"}, {"A": "\x1b[31m"}, {"A": "a\rb"}, {"A": []}]),
        ("set", [{"1A": ""}, {"A B": ""}, {"A=": ""}, {"A\n": ""}, {"A": "x" * 70000}, {"A": True}, {"A": "\ufffe"}]),
        ("set", [{"A%d" % number: "" for number in range(501)}]),
        ("unset", [["1A"], ["A-B"], [""], 5, {"A": 1}, *([word] for word in HOSTILE)]),
        ("rotate", [["1A"], ["A-B"], [""], 5, *([word] for word in HOSTILE)]),
        ("rotate_after", [0, "soon", [], True, *HOSTILE]),
        ("rotate_bytes", [15, 513, 20.5, [], True, *HOSTILE]),
        ("keep_previous", [0, "soon", [], *HOSTILE]),
        ("create", ["maybe", 2, [], *HOSTILE]),
        ("trust_remarks", ["maybe", 2, [], *HOSTILE]),
        ("mode", ["0644", "0666", "0700", 384, "u=rw", *HOSTILE]),
        ("owner", [[], {}, *HOSTILE]),
        ("group", [[], {}, *HOSTILE]),
        ("units", [["a b"], ["a@.service"], 5, *([word] for word in HOSTILE)]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^env_file: %s: " % name) as refused:
            EnvFile(**dict({"path": "/x"}, **{name: value}))
        assert "\x1b" not in str(refused.value)


def test_a_refused_value_is_not_repeated():
    with pytest.raises(ParamError) as refused:
        EnvFile(path="/x", set={"A": "canary\x1b"})
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(EnvFile(path="/x", set={"A": "canary"}))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"set": {"A": "1"}, "unset": ["A"]}, "A stands in both set and unset"),
        ({"keep_previous": "1d"}, "it names nothing"),
        ({"rotate_after": "1d"}, "it names nothing"),
        ({"rotate": ["A"], "unset": ["A_PREVIOUS"], "keep_previous": "1d"}, "A_PREVIOUS is where rotation keeps"),
        ({"rotate": ["A", "A_PREVIOUS"], "trust_remarks": False}, "A_PREVIOUS is where rotation keeps"),
        ({"path": "/x.opslib-new"}, "are the task's own"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        EnvFile(**dict({"path": "/x"}, **args))


# The text


def test_values_are_read_as_systemd_reads_them():
    assert env_text.values(env_text.parse(ORIGINAL)) == {
        "LOG_LEVEL": "info",
        "TOKEN": "single $quotedtwice",
        "SPACED": "a b",
        "URL": 'http://x/?a=$b"c',
        "LONG": "onetwo",
    }


VALUES = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\"'\\`$#; \t\n=%!"), max_size=30
)
KEYS = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
LINES = st.lists(
    st.sampled_from(["# a remark", "; another", "", "   ", "junk", 'A="1"', "A=2", "B='x\ny'", "C=a\\\nb", "  D = e  "])
)


@given(VALUES)
def test_what_is_written_is_what_is_read(value):
    (piece,) = env_text.parse(env_text.assignment("KEY", value))
    assert (piece.key, piece.value, piece.finished) == ("KEY", value, True)


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=20))
@example(["~", "~root/x", "a:~/b"])
def test_a_shell_reads_the_same(values):
    text = "".join(env_text.assignment("KEY%d" % number, value) for number, value in enumerate(values))
    show = "".join("printf '%%s\\0' \"$KEY%d\";" % number for number in range(len(values)))
    done = subprocess.run(["sh", "-c", text + show], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split("\0")[:-1] == values


@given(LINES, st.dictionaries(KEYS, st.none() | VALUES, max_size=4))
def test_other_lines_stay_in_order(lines, wanted):
    text = "\n".join(lines)
    after = env_text.edit(text, wanted, {})
    pieces = env_text.parse(after)
    values = env_text.values(pieces)
    assert {key: values.get(key) for key in wanted} == wanted
    kept = [piece.raw.rstrip("\n") for piece in env_text.parse(text) if piece.key not in wanted]
    assert [piece.raw.rstrip("\n") for piece in pieces if piece.key not in wanted] == kept
    assert env_text.edit(after, wanted, {}) == after


@given(st.text(max_size=200))
def test_any_text_is_cut_into_its_pieces(text):
    assert "".join(piece.raw for piece in env_text.parse(text)) == text


# What is done


def test_set_and_unset(file):
    result = done(
        file, set={"LOG_LEVEL": "debug", "NEW": 'a "b" $c #d', "URL": 'http://x/?a=$b"c'}, unset=["TOKEN", "X"]
    )
    assert [(change["kind"], change["summary"], change["before"], change["after"]) for change in result["changes"]] == [
        ("modify", "set LOG_LEVEL in %s" % file, "(hidden)", "(hidden)"),
        ("create", "set NEW in %s" % file, None, "(hidden)"),
        ("remove", "remove TOKEN in %s" % file, "(hidden)", None),
    ]
    wanted = ORIGINAL.replace("info", "debug").replace("TOKEN='single $quoted'   'twice'\n", "")
    assert file.read_text() == wanted + 'NEW="a \\"b\\" \\$c #d"\n'
    assert result["data"]["variables"] == ["LOG_LEVEL", "SPACED", "URL", "LONG", "NEW"]


def test_replaced_assignments_leave_no_older_ones(file):
    file.write_text("TOKEN=first\n# between\nTOKEN=second")
    done(file, set={"TOKEN": "third"})
    assert file.read_text() == "# between\nTOKEN=third\n"


def test_a_new_file_is_private_from_the_start(tmp_path):
    old = os.umask(0)
    try:
        result = done(tmp_path / "new", set={"A": "1"})
    finally:
        os.umask(old)
    assert result["changes"][0]["summary"] == "make %s/new" % tmp_path
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert os.listdir(str(tmp_path)) == ["new"]


def test_what_is_written_aside_is_private_before_it_holds_a_value(file, monkeypatch):
    modes = []
    real = os.write

    def write(fd, data):
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        return real(fd, data)

    monkeypatch.setattr(private.os, "write", write)
    old = os.umask(0)
    try:
        assert run(file, set={"A": "1"}, mode="0640")["status"] == "changed"
    finally:
        os.umask(old)
    assert modes == [0o600]


def test_a_file_that_others_can_read_is_closed(file):
    file.chmod(0o644)
    (change,) = done(file)["changes"]
    assert (change["before"], change["after"]) == ("mode 0644", "mode 0600")
    assert file.read_text() == ORIGINAL


def test_values_are_shown_nowhere(file):
    for check in (True, False, False):
        result = run(file, check, set={"TOKEN": "canary-1", "URL": "canary-2"}, rotate=["LOG_LEVEL"])
        assert "canary" not in str(result)
        assert "single $quoted" not in str(result)
    assert env_text.values(env_text.parse(file.read_text()))["LOG_LEVEL"] not in str(result)


def test_rotation_each_time(file):
    seen = set()
    for _time in range(3):
        assert run(file, True, rotate=["TOKEN"])["changes"][0]["kind"] == "action"
        assert run(file, rotate=["TOKEN"])["status"] == "changed"
        text = file.read_text()
        seen.add(env_text.values(env_text.parse(text))["TOKEN"])
        assert text.count("# opslib: TOKEN rotated ") == 1
        assert text.index("# opslib: TOKEN rotated ") < text.index("TOKEN=")
    assert len(seen) == 3
    assert all(len(value) == 43 for value in seen)


def test_rotation_when_it_is_due(file):
    args = {"rotate": ["TOKEN"], "rotate_after": "30d", "keep_previous": "1d"}
    done(file, **args)
    values = env_text.values(env_text.parse(file.read_text()))
    assert values["TOKEN_PREVIOUS"] == "single $quotedtwice"
    state = EnvFile(path=str(file), **args).probe()
    first = state["now"]
    for later, names in ((86000, []), (86401, ["remove TOKEN_PREVIOUS"]), (2600000, ["rotate TOKEN"])):
        state["now"] = first + later
        plan = EnvFile(path=str(file), **args).plan(state)
        assert [change.summary.partition(" in ")[0] for change in plan.changes][:1] == names
    assert plan.changes[1].summary.startswith("keep the value before as TOKEN_PREVIOUS")


def test_rotation_to_a_value_that_is_given(file):
    args = {"rotate": ["TOKEN"], "rotate_after": "30d", "keep_previous": "1d"}
    result = done(file, set={"TOKEN": "canary-1"}, **args)
    assert [change["kind"] for change in result["changes"]] == ["modify", "create"]
    assert "canary" not in str(result)
    values = env_text.values(env_text.parse(file.read_text()))
    assert (values["TOKEN"], values["TOKEN_PREVIOUS"]) == ("canary-1", "single $quotedtwice")
    done(file, set={"TOKEN": "canary-2"}, **args)  # another value is another rotation, however young the last one is
    values = env_text.values(env_text.parse(file.read_text()))
    assert (values["TOKEN"], values["TOKEN_PREVIOUS"]) == ("canary-2", "canary-1")
    task = EnvFile(path=str(file), set={"TOKEN": "canary-2"}, **args)
    state = task.probe()
    state["now"] += 86401
    assert [change.summary.partition(" in ")[0] for change in task.plan(state).changes] == ["remove TOKEN_PREVIOUS"]


def test_a_rotation_in_the_future_is_not_believed(file):
    file.write_text("# opslib: TOKEN rotated 2099-01-01T00:00:00Z\nTOKEN=stolen\n")
    result = done(file, rotate=["TOKEN"], rotate_after="1h")
    words = "TOKEN is said to have been rotated on 2099-01-01T00:00:00Z, in the future: that is not believed"
    assert result["warnings"] == [words]
    assert "stolen" not in file.read_text()


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Where the record of rotations is kept."""
    monkeypatch.setattr("opslib.host.upkeep.kept.folder", lambda: str(tmp_path / "state"))
    return tmp_path / "state" / "rotated.json"


def test_after_a_break_in_no_remark_is_believed(file, record):
    """Not that it was rotated just now, not that the value before may stay: the record says what was done."""
    now = utc(time.time() - 60)
    later = "# opslib: TOKEN_PREVIOUS expires 2099-01-01T00:00:00Z\nTOKEN_PREVIOUS=stolen\n"
    file.write_text("# opslib: TOKEN rotated %s\nTOKEN=stolen\n%s" % (now, later))
    args = {"rotate": ["TOKEN"], "rotate_after": "1h", "trust_remarks": False}
    done(file, **args)
    text = file.read_text()
    assert "stolen" not in text
    assert env_text.values(env_text.parse(text))["TOKEN"] not in record.read_text()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    file.write_text(later.replace("2099", "2098"))  # the rotation was undone
    done(file, **args)
    file.write_text(file.read_text().replace("TOKEN=", "TOKEN=stolen-"))
    done(file, keep_previous="1d", **args)
    assert env_text.values(env_text.parse(file.read_text()))["TOKEN_PREVIOUS"].startswith("stolen-")
    file.write_text(file.read_text().replace(" expires 2", " expires 3"))
    task = EnvFile(path=str(file), keep_previous="1d", **args)
    state = task.probe()
    for later, names in ((3000, []), (86500, ["rotate TOKEN", "keep the value before as TOKEN_PREVIOUS"])):
        plan = task.plan(dict(state, now=state["now"] + later))
        assert [change.summary.partition(" in ")[0] for change in plan.changes] == names
    longer = EnvFile(path=str(file), **dict(args, rotate_after="30d", keep_previous="1d"))
    plan = longer.plan(dict(state, now=state["now"] + 86500))
    assert [change.summary.partition(" in ")[0] for change in plan.changes] == ["remove TOKEN_PREVIOUS"]


def test_a_shared_value_put_in_by_a_run_that_was_cut_short_is_kept(file, record):
    """And a record that cannot be understood vouches for nothing."""
    args = {"rotate": ["TOKEN"], "rotate_after": "1h", "trust_remarks": False, "keep_previous": "1h"}
    done(file, set={"TOKEN": "the-same-for-all"}, **args)
    assert env_text.values(env_text.parse(file.read_text()))["TOKEN_PREVIOUS"] == "single $quotedtwice"
    done(file, **args)  # a value that is not asked for any more
    for text in ("{", "[]", '{"%s": 5}' % file, '{"%s": {"TOKEN": {"at": "now"}}}' % file):
        record.write_text(text)
        assert run(file, True, **args)["status"] == "changed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'A="open\nB=1\n', "the value in line 1 does not end"),
        (b"A=1\\", "the value in line 1 does not end"),
        (b"A=1\nB=\xff\n", "line 2 is not UTF-8"),
        (b"# remark \\\nA=1\n", "the comment in line 1 ends with a backslash"),
        (b"A=\0\n", "no text: it holds NUL"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_left_alone(file, text, words):
    file.write_bytes(text)
    for check in (True, False):
        result = run(file, check, set={"B": "2"})
        assert result["status"] == "failed"
        assert words in result["error"]
    assert file.read_bytes() == text


def test_odd_files_are_refused(tmp_path, file):
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(str(tmp_path / "pipe"))
    for name, words in (("link", "a symbolic link"), ("pipe", "no regular file"), (".", "no regular file")):
        path = tmp_path / name if name != "." else tmp_path
        assert words in run(path, set={"A": "1"})["error"]
    assert "cannot be entered" in run(tmp_path / "no" / "env", set={"A": "1"})["error"]
    assert "create is false" in run(tmp_path / "none", set={"A": "1"}, create=False)["error"]
    assert "no user called nobody-at-all" in run(file, owner="nobody-at-all")["error"]
    assert file.read_text() == ORIGINAL


def test_what_a_killed_run_left_is_removed(file):
    left = file.parent / "env.opslib-new"
    left.write_text("TOKEN=half")
    result = done(file)
    assert "left by a run that was cut short" in result["changes"][0]["summary"]
    assert not left.exists()
    left.write_text("TOKEN=half")
    done(file, set={"A": "1"})
    assert not left.exists()


def test_someone_else_changes_the_file_meanwhile(file):
    task = EnvFile(path=str(file), set={"A": "1"})
    plan = task.plan(task.probe())
    file.write_text("A=theirs\n")
    with pytest.raises(env_file.TaskError, match="was changed by someone else meanwhile"):
        task.apply(plan.changes[0])
    assert file.read_text() == "A=theirs\n"
    assert os.listdir(str(file.parent)) == ["env"]


def test_lines_that_systemd_ignores_are_told(file):
    file.write_text("export A=1\nnonsense\nB=2\n")
    result = run(file, True)
    assert result["warnings"] == ["line %d gives no variable: systemd ignores it" % line for line in (1, 2)]
    assert result["data"]["variables"] == ["B"]


def test_a_backslash_at_the_end_of_the_file_takes_no_new_variable_for_its_own(tmp_path):
    path = tmp_path / "env"
    path.write_text("FOO=bar\\\n")
    args = {"path": str(path), "set": {"NEW": "1"}}
    assert run_step(EnvFile, args, False)["status"] == "changed"
    assert env_text.values(env_text.parse(path.read_text())) == {"FOO": "bar", "NEW": "1"}
    assert run_step(EnvFile, args, False)["status"] == "ok"
    path.write_text("A=1\n# a comment \\")
    assert "the comment in line 2 ends with a backslash" in run_step(EnvFile, args, False)["error"]


def test_what_systemd_ignores_is_no_variable(tmp_path):
    path = tmp_path / "env"
    path.write_text("export A=1\nB=2\n")
    assert env_files.read(str(path)) == {"B": "2"}
