"""Backups in their folder: what is ours is known for certain, and the last good one is never removed."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files.locked import Locked
from opslib.host.plan import Change
from opslib.host.postgres import store
from opslib.host.postgres.store import Backup, Store
from opslib.host.task import TaskError
from opslib.host.tasks.postgres_backup import PostgresBackup
from opslib.host.tasks.postgres_compare import PostgresCompare
from opslib.host.tasks.postgres_proof import PostgresProof

TOLD = {
    "opslib_backup": 1,
    "database": "app",
    "taken": 1000.0,
    "bytes": 4,
    "sha256": "x",
    "encoding": "UTF8",
    "collate": "C",
    "ctype": "C",
    "owner": "app",
    "tables": {"public.a": 3, "public.b": 0},
}


def put(folder, name, content=b"dump", **changes):
    (folder / (name + ".dump")).write_bytes(content)
    (folder / (name + ".json")).write_text(json.dumps(dict(TOLD, name=name, **changes)))


def names(backups):
    return [backup.name for backup in backups]


@pytest.mark.parametrize(
    ("name", "database", "ours"),
    [
        ("app-20250131-040500", "app", True),
        ("app-safety-20250131-040500", "app", True),
        ("app-safety-20250131-040500", "app-safety", False),
        ("app-safet%79-20250131-040500", "app-safety", True),
        ("app-safet%79-safety-20250131-040500", "app-safety", True),
        ("app-20250131-040500", "ap", False),
        ("app-20250131-04050", "app", False),
        ("app-20250131-0405000", "app", False),
        ("app-20250131x040500", "app", False),
        ("app-2025013A-040500", "app", False),
        ("app-\u0662\u0660250131-040500", "app", False),
        ("../app-20250131-040500", "app", False),
        ("a%2Fb-20250131-040500", "a/b", True),
        ("%2E%2E-20250131-040500", "..", True),
        ("app", "app", False),
        ("", "", False),
    ],
)
def test_names_of_ours(name, database, ours):
    assert store.is_ours(name, database) is ours


@given(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=20),
    st.floats(0, 4e9),
    st.booleans(),
)
def test_any_database_gives_a_plain_name(database, now, safety):
    first = store.name_for(database, now, set(), safety)
    assert store.is_ours(first, database)
    assert all(c in store._PLAIN + "%" for c in first)
    second = store.name_for(database, now, {first}, safety)
    assert second != first
    assert store.is_ours(second, database)
    assert store.is_safety(second) == safety


def test_looking_at_a_folder(tmp_path):
    put(tmp_path, "app-20250101-000000", taken=1)
    put(tmp_path, "app-20250102-000000", taken=2)
    put(tmp_path, "app-20250103-000000", taken=3, content=b"short")
    put(tmp_path, "app-safety-20250104-000000", taken=4)
    put(tmp_path, "app-20250105-000000", taken=5, database="other")
    put(tmp_path, "other-20250106-000000", taken=6, database="other")
    for number, text in enumerate(["", "{", "[]", "null", "9" * 5000, json.dumps(TOLD), "[" * 100000]):
        (tmp_path / ("app-2025020%d-000000.json" % number)).write_text(text)
    for name in ("app-20250301-000000.dump.partial", "app-20250301-000000.json.partial", "app-20250302-000000.dump"):
        (tmp_path / name).write_text("x")
    put(tmp_path, "app-20250303-000000", taken=1)
    os.rename(str(tmp_path / "app-20250303-000000.json"), str(tmp_path / "app-20250303-000000.json.partial"))
    os.symlink("/etc/passwd", str(tmp_path / "app-20250304-000000.json"))
    found = store.look(str(tmp_path), "app")
    assert names(found.backups) == ["app-20250103-000000", "app-20250102-000000", "app-20250101-000000"]
    assert names(found.good) == ["app-20250102-000000", "app-20250101-000000"]
    assert names(found.safety) == ["app-safety-20250104-000000"]
    assert found.backups[0].problem == "its dump has 5 bytes instead of 4"
    assert list(found.leftovers) == [
        "app-20250301-000000.dump.partial",
        "app-20250301-000000.json.partial",
        "app-20250303-000000.dump",
        "app-20250303-000000.json.partial",
    ]


def test_a_dump_that_is_a_link_is_broken(tmp_path):
    put(tmp_path, "app-20250101-000000")
    (tmp_path / "app-20250101-000000.dump").unlink()
    os.symlink("/etc/passwd", str(tmp_path / "app-20250101-000000.dump"))
    (backup,) = store.look(str(tmp_path), "app").backups
    assert backup.problem == "its dump is no regular file"
    with Locked(str(tmp_path)) as folder, pytest.raises(TaskError, match="cannot be read: Too many levels"):
        store.open_dump(folder, backup)


def test_folders_that_are_missing_or_none(tmp_path):
    assert store.look(str(tmp_path / "new"), "app").exists is False
    assert "cannot be used" in store.look(str(tmp_path / "new/deep"), "app").problem
    (tmp_path / "file").write_text("")
    assert "Not a directory" in store.look(str(tmp_path / "file"), "app").problem
    store.make(str(tmp_path / "new"))
    store.make(str(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o700


def test_two_runs_do_not_meet(tmp_path):
    with Locked(str(tmp_path)), pytest.raises(TaskError, match="another run is at work"):
        Locked(str(tmp_path)).__enter__()
    with Locked(str(tmp_path)):
        pass


def test_files_are_private_and_replaced_at_once(tmp_path):
    with Locked(str(tmp_path)) as folder:
        store.write_json(folder, "a.json", {"b": 1})
        store.write_json(folder, "a.json", {"b": "é"})
        assert store.read_json(folder, "a.json") == {"b": "é"}
        assert store.read_json(folder, "none") is None
    assert os.listdir(str(tmp_path)) == ["a.json"]
    assert (tmp_path / "a.json").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("steps", range(4))
def test_discarding_that_is_cut_short_is_finished_by_the_next_run(tmp_path, monkeypatch, steps):
    """What is left counts for nothing, whenever it was cut short."""
    name = "app-20250101-000000"
    put(tmp_path, name)
    (tmp_path / (name + ".proof")).write_text("{}")
    unlink, left = os.unlink, [None] * steps

    def killed_later(path, **how):
        left.pop()
        unlink(path, **how)

    with Locked(str(tmp_path)) as folder:
        (backup,) = store.look(str(tmp_path), "app").backups
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", killed_later)
            if steps < 3:
                with pytest.raises(IndexError):
                    store.discard(folder, backup)
            else:
                store.discard(folder, backup)
    found = store.look(str(tmp_path), "app")
    assert found.backups == []
    assert sorted(found.leftovers) == sorted(os.listdir(str(tmp_path)))
    assert len(found.leftovers) == 3 - steps


def test_a_proof_of_another_dump_counts_for_nothing(tmp_path):
    put(tmp_path, "app-20250101-000000")
    for proof, counts in (
        ({"sha256": "x", "proven": 5}, True),
        ({"sha256": "y", "proven": 5}, False),
        ({"sha256": "x"}, False),
    ):
        (tmp_path / "app-20250101-000000.proof").write_text(json.dumps(proof))
        (backup,) = store.look(str(tmp_path), "app").backups
        assert (backup.proof is not None) == counts


def test_checksum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    file = os.open(str(tmp_path / "a"), os.O_RDONLY)
    assert store.checksum(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.checksum(file) == store.checksum(file)
    os.close(file)


# The plans

DAY = 86400
NOW = 100 * DAY


def backup(age, problem="", proof=None, **changes):
    taken = NOW - age
    manifest = dict(TOLD, name="app-%d" % taken, taken=taken, **changes)
    return Backup(name=manifest["name"], manifest=manifest, proof=proof, problem=problem)


def plan(backups, outcome=None, free=1 << 40, **parameters):
    task = PostgresBackup(**dict({"user": "a", "folder": "/b"}, **parameters))
    kept = sorted(backups, key=lambda each: each.taken, reverse=True)
    state = {
        "now": NOW,
        "database": "app",
        "version": "15",
        "size": 10,
        "outcome": outcome or {"made": None, "removed": []},
    }
    return task.plan(dict(state, store=Store(exists=True, backups=kept, free_bytes=free)))


BACKUPS = st.lists(
    st.builds(backup, st.floats(0, 99 * DAY), st.sampled_from(["", "", "broken"])),
    max_size=12,
    unique_by=lambda b: b.name,
)


@given(BACKUPS, st.integers(1, 5), st.floats(0, 50 * DAY), st.sampled_from([0, 60, DAY, 200 * DAY]))
def test_retention(backups, keep, keep_for, max_age):
    made = plan(backups, keep=keep, keep_for=keep_for, max_age=max_age)
    removed = [change.detail["backup"] for change in made.changes if change.kind == "remove"]
    new = sum(change.kind in ("create", "action") for change in made.changes)
    good = [each for each in backups if not each.problem]
    left = [each for each in good if each not in removed]
    assert not any(each.problem for each in removed)
    assert all(NOW - each.taken >= keep_for for each in removed)
    assert len(left) + new >= min(keep, len(good) + new)
    assert all(min(each.taken for each in left) >= old.taken for old in removed if left)
    newest = max((each.taken for each in good), default=None)
    assert bool(new) == (newest is None or NOW - newest >= max_age)
    if not made.changes:
        assert "was backed up" in made.reason


@given(BACKUPS, st.integers(1, 5))
def test_after_a_backup_nothing_is_due(backups, keep):
    first = plan(backups, keep=keep, max_age=0)
    gone = {change.detail["backup"].name for change in first.changes if change.kind == "remove"}
    left = [backup(-1), *(each for each in backups if each.name not in gone)]
    again = plan(left, outcome={"made": "/b/new.dump", "removed": sorted(gone)}, keep=keep, max_age=0)
    assert [change for change in again.changes if change.kind != "action"] == []


def test_what_a_clock_that_was_ahead_dated_counts_for_nothing():
    """It stops no backup, takes no place among those that stay, and proves nothing; a warning says so."""
    early = [backup(-day * DAY) for day in (300, 200, 100)]
    words = "app-34560000: dated 1971-02-05T00:00:00Z, in the future, so that nobody knows how old it is"
    due = plan([*early, backup(7 * DAY)], max_age="1d", keep=2)
    assert [change.kind for change in due.changes] == ["create"]
    assert due.data["newest_age_seconds"] == 7 * DAY
    assert due.warnings[0] == words
    assert len(due.warnings) == 3
    assert (
        plan([*early, *(backup(age * DAY) for age in (0, 1, 2))], keep=2).changes[0].summary.startswith("remove backup")
    )
    found = prove([*early, backup(3 * DAY)], max_backup_age="2d")
    assert "3 days old; at most 2 days were asked for" in found.failure
    assert found.warnings[0] == words
    assert prove(early).failure == "there is no backup of app in /b"
    proof = {"sha256": "x", "proven": NOW + DAY, "seconds": 1}
    again = prove([backup(5, proof=proof)])
    assert [change.kind for change in again.changes] == ["create"]
    assert again.warnings[0].startswith("the proof of app-8639995 is dated 1970-04-12T00:00:00Z, in the future")
    named = {"backup": "app-19710205-000000", "database": "app"}
    (one,) = [Backup(name=named["backup"], manifest=dict(TOLD, taken=NOW + 300 * DAY))]
    assert "(of unknown age)" in prove([one], **named).changes[0].summary
    assert (
        "whether it is younger than max_backup_age is not known" in prove([one], max_backup_age="2d", **named).failure
    )


def test_what_another_run_completed_meanwhile_is_not_removed(tmp_path):
    """A dump gets its name before its manifest does, and lies there without one for a moment."""
    name = "a-20250303-000000"
    (tmp_path / (name + ".dump")).write_text("all that there is")
    (tmp_path / (name + ".json.partial")).write_text("{}")
    task = PostgresBackup(user="a", folder=str(tmp_path))
    seen = store.look(str(tmp_path), "a").leftovers
    assert seen == [name + ".dump", name + ".json.partial"]
    os.rename(str(tmp_path / (name + ".json.partial")), str(tmp_path / (name + ".json")))
    for leftover in seen:
        task.apply(Change(kind="remove", summary="", detail={"leftover": leftover}))
    assert sorted(os.listdir(str(tmp_path))) == [name + ".dump", name + ".json"]
    (tmp_path / (name + ".json")).unlink()
    (tmp_path / (name + ".json.partial")).write_text("{}")
    task.apply(Change(kind="remove", summary="", detail={"leftover": name + ".dump"}))
    assert os.listdir(str(tmp_path)) == [name + ".json.partial"]


def compared(rows, backups, **parameters):
    task = PostgresCompare(**dict({"user": "a", "folder": "/b"}, **parameters))
    kept = Store(exists=True, backups=sorted(backups, key=lambda each: each.taken, reverse=True))
    return task.plan({"now": NOW, "database": "app", "store": kept, "rows": rows})


def test_what_is_lost_since_a_backup_is_told():
    whole = {"public.a": 3, "public.b": 0}  # as in the manifests
    old, new = backup(5 * DAY, tables={"public.a": 9, "public.b": 0}), backup(DAY)
    found = compared(whole, [old, new])
    assert found.reason == "nothing is missing since backup %s (1 day old): 3 rows in 2 tables" % new.name
    assert (found.warnings, found.data["lost_rows"], found.data["tables"]) == ((), 0, [])
    assert [row["rows"] for row in found.data["backups"]] == [3, 9]
    found = compared({"public.a": 1, "public.c": 7}, [new])
    assert found.data["tables"] == [
        {"table": "public.a", "before": 3, "now": 1},
        {"table": "public.b", "before": 0, "now": None},
        {"table": "public.c", "before": None, "now": 7},
    ]
    assert (found.data["lost_rows"], found.data["missing_tables"]) == (2, ["public.b"])
    words = "2 rows lost since backup %s (1 day old): public.a has 1 of 3; public.b is gone, which had 0" % new.name
    assert (found.failure, list(found.warnings)) == ("", [words])
    assert compared({"public.a": 1}, [new], strict=True).failure == words


def test_there_is_nothing_to_compare_with():
    for backups in ([], [backup(DAY, "broken")], [backup(-DAY)]):
        assert compared({}, backups).failure == "there is no good backup of app in /b"
    assert compared({"public.a": 3, "public.b": 0}, [backup(DAY, "broken"), backup(2 * DAY)]).failure == ""


def test_space_is_looked_at_before():
    refused = plan([backup(DAY, bytes=1 << 30)], free=(1 << 30) + 100, keep_free="1M")
    assert "/b has 1.0 GiB free; a backup takes about 1.0 GiB, and 1.0 MiB must stay free" in refused.failure
    assert plan([backup(1, bytes=1 << 30)], free=0).failure == ""


def prove(backups, left=(), createdb=True, **parameters):
    task = PostgresProof(**dict({"user": "a", "folder": "/b"}, **parameters))
    state = {"now": NOW, "database": "app", "me": {"name": "a", "createdb": createdb}, "left": list(left)}
    return task.plan(dict(state, store=Store(exists=True, backups=backups)))


def test_what_is_to_be_proven():
    proven = {"sha256": "x", "proven": NOW - 60, "seconds": 1}
    assert prove([backup(5)]).changes[0].summary.startswith("prove backup app-8639995 (5 seconds old)")
    assert prove([backup(5)]).changes[0].after == "2 tables with 3 rows"
    assert prove([backup(5, proof=proven)]).changes == []
    assert prove([backup(5, proof=proven)]).reason == "backup app-8639995 (5 seconds old) was proven 1 minute ago"
    assert [change.kind for change in prove([backup(5, proof=proven)], max_age=30).changes] == ["action"]
    assert [change.kind for change in prove([backup(5, proof=proven)], left=["s"]).changes] == ["remove"]
    assert prove([]).failure == "there is no backup of app in /b"
    assert "is broken: short" in prove([backup(5, problem="short"), backup(9)]).failure
    assert "may not create databases" in prove([backup(5)], createdb=False).failure
    assert "at most 2 days were asked for" in prove([backup(3 * DAY)], max_backup_age="2d").failure
