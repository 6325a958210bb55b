"""Logs are read from their ends, searched by time and followed through rotation; what is told is bounded and clean."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.logs.entries import Filter, Newest, grouped, head
from opslib.host.logs.files import LogFiles
from opslib.host.logs.follow import Follower
from opslib.host.logs.tail import backwards, is_dated, last_line_end
from opslib.host.logs.times import Clock
from opslib.host.params import ParamError
from opslib.host.tasks.logs import Logs
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
CLOCK = Clock(time.time(), 0)


def stamp(seconds_ago):
    """Return a time as many logs write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def look(**args):
    """Run the task on files and return its result and the entries and notes that it told."""
    told = []
    result = run_step(Logs, args, False, told.append)
    entries = [row for message in told for row in message.get("entries", ())]
    return result, entries, [message["note"] for message in told if "note" in message]


def texts(**args):
    """Return the texts of the entries that the task tells."""
    result, entries, _notes = look(**args)
    assert result["status"] == "ok", result
    return [row["text"] for row in entries]


# Parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paths", ["relative/*", ["/a/../b"], ["/a\0b"], ["/a\nb"], [""], 5, {"a": 1}, ["/" + "x" * 5000]]),
        ("units", [["a b"], ["-x"], ["../x"], ["a\nb"], ["a\0b"], ["\udcff"], ["x" * 300], ["a"] * 51, 5, ["getty@"]]),
        ("mode", ["all", 5, [], *HOSTILE]),
        ("lines", ["few", -1, 100001, 1.5, [], True, *HOSTILE]),
        ("since", ["soon", -1, [], True, "1e30", *HOSTILE]),
        ("until", ["soon", -1, [], True, "1e30", *HOSTILE]),
        ("levels", [["a b"], ["-x"], [5.5, []], 5, ["x" * 300], ["E"] * 21, ["a\nb"], ["a\0b"], ["\udcff"], [""]]),
        ("match", ["(", "a\0b", "a\nb", "", [], {"a": 1}, "(" * 5000, "x" * 70000, "\x1b[31m"]),
        ("fields", [5, "user_id=5", [], {5: 1}, {"": 1}, {"a": object()}, {"a": float("nan")}]),
        ("timezone", ["+25:00", "+2", "/etc/passwd", "a/../b", "5", [], {}, *HOSTILE]),
        ("longest", ["long", 19, 16385, 1.5, [], True, *HOSTILE]),
        ("masked", ["perhaps", 5, [], *HOSTILE]),
        ("lasting", ["long", -1, [], True, "1e30", *HOSTILE]),
        ("read_limit", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^logs: %s: " % name):
            Logs(**{"paths": ["/a"], name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "nothing to read"),
        ({"paths": ["/a"], "since": 5, "until": 5}, "until 5 must be less than since 5"),
        ({"paths": ["/a"], "mode": "search"}, "needs since"),
        ({"paths": ["/a"], "mode": "follow", "until": 5}, "until has no meaning"),
        ({"paths": ["/a"], "lasting": 5}, "lasting has a meaning with mode follow only"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        Logs(**args)


# Entries


@pytest.mark.parametrize(
    ("line", "dated", "begins"),
    [
        (b"2026-01-02 03:04:05 ERROR x", True, True),
        (b"  File x, line 5", True, False),
        (b"ValueError: x", True, False),
        (b"plain", False, True),
        (b"\tindented", False, False),
        (b"", False, False),
        (b'{"a": 1}', True, True),
        (b"{no json", True, True),
        (b"\0\0\0" + b"2026-01-02 03:04:05 after a hole", True, True),
    ],
)
def test_where_entries_begin(line, dated, begins):
    assert head(line, CLOCK, dated)[0] is begins


def test_a_traceback_belongs_to_its_line():
    lines = [
        b"2026-01-02 03:04:05 ERROR x",
        b"Traceback",
        b"  File y",
        b"",
        b"ValueError",
        b"2026-01-02 03:04:06 INFO z",
    ]
    found = list(grouped(lines, CLOCK, True))
    assert [raw for raw, _when in found] == [b"\n".join(lines[:5]), lines[5]]
    assert [when for _raw, when in found] == [1767323045.0, 1767323046.0]


def test_an_endless_entry_is_bounded():
    (entry,) = grouped([b"2026-01-02 03:04:05 x"] + [b"  " + b"y" * 1000] * 5000, CLOCK, True)
    assert len(entry[0]) < 70000


def test_what_looks_like_a_secret_is_masked():
    row = Filter([], None, {}).row
    assert row(b"login password=hunter2 ok", None, "s")["text"] == "login password=*** ok"
    json_row = row(b'{"msg": "x", "api_key": "hunter2", "deep": [{"token": "hunter2"}], "token": 5}', None, "s")
    assert json.loads(json_row["text"]) == {"msg": "x", "api_key": "***", "deep": [{"token": "***"}], "token": 5}
    more = b'{"private_key": "x", "authorization": "Token x", "password": 123456, "tokens": ["x", 7], "secret": {"a": "x"}}'
    assert json.loads(row(more, None, "s")["text"]) == {
        "private_key": "***",
        "authorization": "***",
        "password": "***",
        "tokens": ["***", 7],
        "secret": {"a": "***"},
    }
    assert "geheim" not in row(b'{"a":' * 30 + b'{"secret": "geheim"}' + b"}" * 30, None, "s")["text"]
    bare = Filter([], None, {}, masked=False).row
    assert bare(b"password=hunter2", None, "s")["text"] == "password=hunter2"


def test_an_untouched_json_line_stays_as_it_was():
    line = b'{"b":1,   "a":[ ]}'
    assert Filter([], None, {}).row(line, None, "s")["text"] == line.decode()


def test_long_entries_are_cut_and_say_so():
    row = Filter([], None, {}, longest=50).row(b"x" * 100000, None, "s")
    assert (row["text"], row["cut"]) == ("x" * 50, True)
    assert Filter([], None, {}, longest=50).row(b"x" * 50, None, "s")["cut"] is False


@pytest.mark.parametrize(
    ("levels", "match", "fields", "raw", "level", "wanted"),
    [
        (["ERROR"], None, {}, b"2026-01-02 ERROR x", None, "ERROR"),
        (["ERROR"], None, {}, b"2026-01-02 INFO retry after ERROR", None, False),
        (["ERROR"], None, {}, b"plain message", "ERROR", "ERROR"),
        (["ERROR"], None, {}, b"INFO: of its own level", "ERROR", False),
        (["error"], None, {}, b'{"level": 50, "msg": "pino"}', None, "ERROR"),
        (["WARNING"], None, {}, b"WARN x", None, "WARN"),
        ([], "fore.?cast", {}, b"INFO forecast", None, "INFO"),
        ([], "forecast", {}, b"INFO other", None, False),
        ([], None, {"user.id": "5"}, b'{"user": {"id": 5}}', None, None),
        ([], None, {"user.id": "5"}, b'{"user": {"id": 6}}', None, False),
        ([], None, {"user_id": "5"}, b"user_id 5", None, False),
    ],
)
def test_filters(levels, match, fields, raw, level, wanted):
    row = Filter(levels, match, fields).row(raw, None, "s", level)
    assert (row is None) if wanted is False else (row["level"] == wanted)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=40), st.integers(0, 10))
def test_the_newest_are_kept_in_order(times, most):
    kept = Newest(most)
    for number, when in enumerate(times):
        kept.add({"time": when, "text": str(number)}, 5.0)
    found = [5.0 if row["time"] is None else row["time"] for row in kept.rows()]
    assert found == sorted(5.0 if when is None else when for when in times)[len(times) - len(found) :]
    assert len(found) == min(most, len(times))
    assert kept.left_out == len(times) - len(found)


def test_what_is_kept_is_bounded_in_characters():
    kept = Newest(1000, characters=100)
    for number in range(50):
        kept.add({"time": float(number), "text": "x" * 30})
    assert [row["time"] for row in kept.rows()] == [47.0, 48.0, 49.0]


# Reading from the end


@given(
    st.lists(
        st.sampled_from([b"2026-01-02 03:04:05 x", b"  more", b"x" * 70000, b"", b"plain", b'{"a": 1}']), max_size=60
    )
)
def test_backwards_gives_what_forwards_gives(lines):
    """However large the entries are, and wherever the blocks are cut."""
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        size = file.tell()
        batches = list(backwards(file.fileno(), size, CLOCK, True, 1 << 30))
        found = [entry for batch in reversed(batches) for entry in batch]
        assert found == list(grouped(lines, CLOCK, True))


def test_the_newest_entries_of_a_log(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("".join("%s INFO %d\n" % (stamp(10000 - number), number) for number in range(10000)))
    found = texts(paths=[str(path)], lines=3)
    assert [text.split()[-1] for text in found] == ["9997", "9998", "9999"]
    assert texts(paths=[str(path)], lines=2, match="INFO 1?7$") == [
        line for line in path.read_text().splitlines() if line.endswith(("INFO 7", "INFO 17"))
    ]
    assert texts(paths=[str(path)], lines=0) == []
    late = texts(paths=[str(path)], lines=1000, since=60)
    assert 55 <= len(late) <= 61


def test_a_log_without_times(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("".join("line %d\n" % number for number in range(50000)))
    assert texts(paths=[str(path)], lines=2) == ["line 49998", "line 49999"]
    assert len(texts(paths=[str(path)], lines=30000)) == 30000


def test_the_end_of_the_rotated_log_is_used_when_the_live_one_is_short(tmp_path):
    (tmp_path / "a.log.2").write_text("%s too old\n" % stamp(500))
    os.utime(tmp_path / "a.log.2", (1, 1))
    (tmp_path / "a.log.1").write_text("%s one\n%s two\n" % (stamp(100), stamp(90)))
    (tmp_path / "a.log").write_text("%s three\n" % stamp(5))
    assert [text.split()[1] for text in texts(paths=[str(tmp_path / "a.log")], lines=2)] == ["two", "three"]
    assert len(texts(paths=[str(tmp_path / "a.log")], lines=9)) == 4


def test_several_logs_in_the_order_of_time(tmp_path):
    (tmp_path / "a.log").write_text("%s a1\n%s a2\n" % (stamp(40), stamp(20)))
    (tmp_path / "b.log").write_text("%s b1\n%s b2\n" % (stamp(30), stamp(10)))
    assert [text.split()[1] for text in texts(paths=[str(tmp_path / "*.log")])] == ["a1", "b1", "a2", "b2"]


def test_an_hour_of_rotated_and_compressed_logs(tmp_path):
    with gzip.open(tmp_path / "a.log.2.gz", "wt") as file:
        file.write("%s ERROR packed\n" % stamp(1800))
    (tmp_path / "a.log.1").write_text("%s ERROR old\n%s ERROR turned\n" % (stamp(7200), stamp(900)))
    (tmp_path / "a.log").write_text("%s ERROR live\n%s INFO x\n" % (stamp(5), stamp(4)))
    args = {"paths": [str(tmp_path / "a.log")], "mode": "search", "levels": ["ERROR"]}
    assert [text.split()[2] for text in texts(since="1h", **args)] == ["packed", "turned", "live"]
    assert [text.split()[2] for text in texts(since="1h", until="10m", **args)] == ["packed", "turned"]
    result, entries, _notes = look(since="1h", lines=1, **args)
    assert [row["text"].split()[2] for row in entries] == ["live"]
    assert result["data"] == {"count": 1, "matched": 3, "read": result["data"]["read"], "left_out": 2, "missing": []}
    assert result["warnings"] == ["2 older entries were left out (lines)"]


def test_what_is_not_there_fails(tmp_path):
    (tmp_path / "a.log").write_text("x\n")
    result, _entries, _notes = look(paths=[str(tmp_path / "no.log")])
    assert result["error"] == "%s does not exist" % (tmp_path / "no.log")
    result, entries, _notes = look(paths=[str(tmp_path / "no.log"), str(tmp_path / "a.log")])
    assert (result["status"], len(entries)) == ("ok", 1)
    assert "does not exist" in result["warnings"][0]
    (tmp_path / "empty").mkdir()
    result, _entries, _notes = look(paths=[str(tmp_path / "empty")])
    assert result["error"] == "%s is a folder without any *.log" % (tmp_path / "empty")
    assert "not known on this host" in look(paths=["/a"], timezone="Nowhere/City")[0]["error"]


def test_a_log_without_times_cannot_be_searched(tmp_path):
    (tmp_path / "a.log").write_text("x\n")
    result, entries, _notes = look(paths=[str(tmp_path / "a.log")], mode="search", since="1h")
    assert entries == []
    assert "no times were found" in result["error"]
    (tmp_path / "b.log").write_text("%s y\n" % stamp(5))
    result, entries, _notes = look(paths=[str(tmp_path / "*.log")], mode="search", since="1h")
    assert (result["status"], len(entries)) == ("ok", 1)
    assert "no times were found" in result["warnings"][0]


def test_hostile_bytes(tmp_path):
    path = tmp_path / "a\n\x1b.log"
    path.write_bytes(b"\xff\xfe\x1b[2J\x07\x00 x\n" + b"\xff" * 90000 + b"\n{" * 100 + b"\nlast")
    result, entries, _notes = look(paths=[str(tmp_path / "*.log")], lines=1000)
    assert result["status"] == "ok"
    assert entries[-1]["text"] == "last"
    assert all(len(row["text"]) <= 4096 and row["source"].isprintable() for row in entries)
    json.dumps(entries)


def test_pipes_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "a.log")
    for mode in ("tail", "follow"):
        result, entries, _notes = look(
            paths=[str(tmp_path / "a.log")], mode=mode, **{"lasting": 0.3} if mode == "follow" else {}
        )
        assert (result["status"], entries) == ("ok", [])


# Following


class Followed:
    """A follower and all that it said."""

    def __init__(self, *paths):
        self.entries, self.notes = [], []
        self.follower = Follower(LogFiles(0.0), [str(path) for path in paths], CLOCK, self.take, self.notes.append)

    def take(self, raw, when, path):
        self.entries.append(raw.decode())
        return b"unwanted" not in raw

    def new(self, look=True):
        """Return what has come since the last time."""
        self.entries.clear()
        if look:
            self.follower.look()
        for _round in range(50):
            if not self.follower.read():
                break
        return list(self.entries)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("%s before\n" % stamp(9))
    return path


def add(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def test_only_what_comes_is_told(log):
    followed = Followed(log)
    assert followed.new() == []
    line = "%s new" % stamp(1)
    add(log, line[:5])
    assert followed.new() == []
    add(log, line[5:] + "\n")
    assert followed.new() == [line]
    assert followed.new() == []
    followed.follower.close()


def test_a_traceback_stays_together_however_it_comes(log):
    followed = Followed(log)
    add(log, "%s ERROR x\nTraceback\n" % stamp(2))
    followed.entries.clear()
    assert followed.follower.read()
    assert followed.entries == []
    add(log, "  File y\nValueError\n")
    (entry,) = followed.new()
    assert entry.splitlines()[1:] == ["Traceback", "  File y", "ValueError"]
    add(log, "  late\n")
    assert followed.new() == ["  late"]
    add(log, "%s unwanted\n" % stamp(1))
    followed.new()
    add(log, "  and what belongs to it\n")
    assert followed.new() == []


def test_renamed_and_created_anew(log):
    followed = Followed(log)
    turned = log.with_suffix(".log.1")
    log.rename(turned)
    add(turned, "%s late writer\n" % stamp(3))
    add(log, "%s new file\n" % stamp(1))
    assert [text.split()[1] for text in sorted(followed.new())] == ["late", "new"]
    add(turned, "%s still\n" % stamp(0))
    assert [text.split()[1] for text in followed.new()] == ["still"]
    assert followed.notes == ["%s was moved or removed" % log, "%s is new" % log] or followed.notes == [
        "%s is new" % log,
        "%s was moved or removed" % log,
    ]
    followed.follower.close()


def test_removed_and_back_again(log):
    followed = Followed(log)
    log.unlink()
    assert followed.new() == []
    add(log, "%s back\n" % stamp(1))
    assert [text.split()[1] for text in followed.new()] == ["back"]


@pytest.mark.parametrize("more", ["", "x" * 500])
def test_copied_and_truncated(log, more):
    """Also when it has grown beyond the old place before we look."""
    followed = Followed(log)
    add(log, "%s read\n" % stamp(3))
    assert len(followed.new()) == 1
    log.write_text("%s after %s\n" % (stamp(1), more))
    assert [text.split()[1] for text in followed.new()] == ["after"]
    assert followed.notes == ["%s was truncated" % log]


@pytest.mark.parametrize("pack", [None, gzip, bz2, lzma])
def test_what_was_not_read_before_the_cut_is_read_from_the_copy(tmp_path, log, pack):
    followed = Followed(log)
    add(log, "%s read\n" % stamp(3))
    assert len(followed.new()) == 1
    add(log, "%s not yet\n%s nor this, " % (stamp(2), stamp(2)))
    assert len(followed.new()) == 1
    add(log, "which is long\n%s last\n" % stamp(1))
    (tmp_path / "a.log.2").write_text("another\n" * 100)
    if pack:
        (tmp_path / "a.log.1.gz").write_bytes(b"\x1f\x8bdamaged")
        ending = {"gzip": "gz", "bz2": "bz2", "lzma": "xz"}[pack.__name__]
        (tmp_path / ("a.log.3." + ending)).write_bytes(pack.compress(b"another\n" * 100))
        (tmp_path / ("a.log.4." + ending)).write_bytes(pack.compress(log.read_bytes()))
    else:
        (tmp_path / "a.log.1").write_bytes(log.read_bytes())
    log.write_text("%s after\n" % stamp(0))
    assert [" ".join(text.split()[1:]) for text in followed.new()] == ["nor this, which is long", "last", "after"]


def test_a_copy_that_a_pattern_matches_is_not_told_again(tmp_path, log):
    followed = Followed(tmp_path / "a.log*")
    add(log, "%s read\n" % stamp(3))
    assert len(followed.new()) == 1
    (tmp_path / "a.log.1").write_bytes(log.read_bytes())
    log.write_text("%s after\n" % stamp(0))
    assert [text.split()[1] for text in followed.new() + followed.new()] == ["after"]
    add(tmp_path / "a.log.1", "%s odd\n" % stamp(0))
    assert [text.split()[1] for text in followed.new()] == ["odd"]


@pytest.mark.parametrize("kind", ["fifo", "link", "other"])
def test_what_is_no_copy_is_not_read(tmp_path, log, kind):
    followed = Followed(log)
    add(log, "%s read\n" % stamp(3))
    followed.new()
    copy = tmp_path / "a.log.1"
    if kind == "fifo":
        os.mkfifo(copy)
    elif kind == "link":
        (tmp_path / "secret").write_text(log.read_text() + "secret\n")
        copy.symlink_to(tmp_path / "secret")
    else:
        copy.write_text(log.read_text().replace("read", "RRAD") + "other\n")
    log.write_text("%s after\n" % stamp(0))
    assert [text.split()[1] for text in followed.new()] == ["after"]


def test_a_pattern_finds_files_that_come_later_and_reads_none_twice(tmp_path, log):
    followed = Followed(tmp_path / "*.log*")
    (tmp_path / "b.log").write_text("%s b\n" % stamp(1))
    assert [text.split()[1] for text in followed.new()] == ["b"]
    log.rename(tmp_path / "a.log.1")
    assert followed.new() == []
    (tmp_path / "c.log.gz").write_text("packed\n")
    assert followed.new() == []
    assert followed.notes == ["%s is new" % (tmp_path / "b.log")]


def test_a_line_without_end_is_bounded(log):
    followed = Followed(log)
    for _piece in range(30):
        add(log, "x" * 10000)
        followed.new()
    add(log, "\n%s next\n" % stamp(0))
    found = followed.new()
    assert found[-1].endswith(" next")
    assert all(len(text) < 70000 for text in followed.entries)


def test_a_link_swapped_in_is_followed_only_to_files(tmp_path, log):
    followed = Followed(log)
    log.unlink()
    log.symlink_to("/dev/zero")
    assert followed.new() == []
    followed.follower.close()


def test_follow_ends_by_itself_and_tells_the_newest_first(tmp_path, log):
    def write():
        time.sleep(0.3)
        add(log, "%s ERROR later\n%s INFO not this\n" % (stamp(0), stamp(0)))
        os.truncate(log, 0)
        add(log, "%s ERROR truncated\n" % stamp(0))

    add(log, "%s ERROR first\n" % stamp(5))
    writer = threading.Thread(target=write)
    writer.start()
    result, entries, notes = look(paths=[str(log)], mode="follow", lasting=1.5, levels=["ERROR"])
    writer.join()
    words = [row["text"].split()[2] for row in entries]
    assert words[0] == "first"
    assert words[-1] == "truncated"
    assert result["status"] == "ok"
    assert result["data"]["count"] == len(words)
    assert notes == ["%s was truncated" % log]


def test_follow_waits_for_what_is_not_there(tmp_path):
    path = tmp_path / "late.log"
    threading.Timer(0.3, lambda: path.write_text("%s here\n" % stamp(0))).start()
    _result, entries, notes = look(paths=[str(path)], mode="follow", lasting=2)
    assert [row["text"].split()[1] for row in entries] == ["here"]
    assert notes == ["%s does not exist" % path, "%s is new" % path]


def test_places(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\nthr")
    with open(path, "rb") as file:
        assert last_line_end(file.fileno(), 11) == 8
        assert last_line_end(file.fileno(), 2) == 0
        assert last_line_end(file.fileno(), 0) == 0
        assert is_dated(file.fileno(), 11, CLOCK) is False


def test_rows_of_one_time_keep_their_order():
    for reverse in (False, True):
        kept = Newest(3)
        for text in "edcba" if reverse else "abcde":
            kept.add({"time": 1.0, "text": text}, backwards=reverse)
        assert "".join(row["text"] for row in kept.rows()) == "cde"


def test_a_tail_that_finds_nothing_gives_up_and_says_so(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("%s ERROR first\n" % stamp(900) + "%s INFO x\n" % stamp(5) * 20000)
    args = {"paths": [str(path)], "levels": ["ERROR"], "read_limit": "100K"}
    result, entries, _notes = look(**args)
    assert entries == []
    assert result["warnings"] == ["only the last 100.0 KiB of %s were read; search reads more" % path]
    assert texts(mode="search", since="1h", **dict(args, read_limit="2M"))[0].endswith("first")


def test_a_year_that_is_not_named_is_told_by_the_clock_of_the_moment(tmp_path, monkeypatch):
    """Following goes on for days; what comes then must not be taken for a line of last year."""
    path = tmp_path / "a.log"
    path.write_text("")
    ahead = time.time() + 3 * 86400
    monkeypatch.setattr("opslib.host.logs.live._LOOK", 0.0)

    def write():
        time.sleep(0.3)
        monkeypatch.setattr("opslib.host.logs.live.time.time", lambda: ahead)
        time.sleep(0.5)
        add(path, time.strftime("%b %e %H:%M:%S", time.localtime(ahead)) + " web app: x\n")

    writer = threading.Thread(target=write)
    writer.start()
    _result, entries, _notes = look(paths=[str(path)], mode="follow", lasting=2)
    writer.join()
    assert [abs(row["time"] - ahead) < 2 for row in entries] == [True]
