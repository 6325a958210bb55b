"""Latency probes and usage: measured, judged, and nothing left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opslib import tasks
from opslib.cloud.gcp.firestore import Firestore
from support.cloud import run, stopped
from support.firestore import PROD, client, operations, paths, seed

SLOW = {"read_limit": 30, "write_limit": 30}


def latency(*, check=False, **more):
    return run("firestore_latency", {**PROD, **SLOW, **more}, check=check)


@pytest.fixture
def world(google):
    return seed(google)


def test_reads_and_writes_are_measured_and_nothing_is_left(world):
    before = paths()
    checked = latency(check=True)
    assert (checked.status, checked.changed, world.mutations) == ("changed", True, [])
    done = latency()
    assert (done.status, done.error) == ("changed", None)
    for what in ("read_ms", "write_ms"):
        assert done.data[what]["samples"] == 5
        assert 0 < done.data[what]["median"] <= done.data[what]["worst"]
    assert operations(world) == ["documents.commit"] * 6
    assert paths() == before


def test_what_takes_too_long_is_a_failure_with_numbers(world):
    world.firestore.delay("documents.batchGet", 0.06)
    done = latency(samples=1, read_limit="50ms")
    assert "reads take" in done.error
    assert "50 ms are the limit" in done.error
    assert done.data["read_ms"]["median"] >= 60
    world.firestore.mend()
    world.firestore.delay("documents.commit", 0.06)
    assert "writes take" in latency(samples=1, write_limit="50ms").error
    assert paths() == [path for path in paths() if not path.startswith("opslib")]


def test_what_an_earlier_run_left_is_removed_but_not_what_runs_beside(world, monkeypatch):
    collection = client().collection("opslib_latency")
    collection.document("probe-old").set({})
    found = Firestore.inside

    def older(self, collection, most):
        from dataclasses import replace

        return [replace(each, created=each.created - timedelta(hours=1)) for each in found(self, collection, most)]

    assert latency().error is None
    assert collection.document("probe-old").get().exists
    monkeypatch.setattr(Firestore, "inside", older)
    assert "and 1 document that earlier runs left" in latency(check=True).summaries[0]
    assert latency().error is None
    assert not collection.document("probe-old").get().exists


def test_a_collection_of_somebody_else_is_not_touched(world):
    done = latency(collection="users")
    assert "is none of ours; name a collection that is nobody else's" in done.error
    assert world.mutations == []


@pytest.mark.parametrize("after_effect", [False, True])
def test_probes_are_removed_when_one_fails(world, after_effect):
    world.firestore.fail("documents.commit", status=403, code="PERMISSION_DENIED", after_effect=after_effect)
    assert "403" in latency().error
    assert [path for path in paths() if path.startswith("opslib")] == []


def test_probes_are_removed_when_the_run_is_stopped(world, monkeypatch):
    task = tasks.firestore_latency(**PROD, **SLOW, samples=1)
    step = stopped(monkeypatch, task, lambda now: world.firestore.twist("documents.batchGet", now))
    assert [path for path in paths() if path.startswith("opslib")] == []
    assert step.error == "cut short: its time was up or the run was stopped"


METRIC = "firestore.googleapis.com/document/{}_ops_count"
STORED = "firestore.googleapis.com/storage/data_and_index_storage_bytes"


def usage(**more):
    return run("firestore_usage", {**PROD, **more})


def test_usage_of_the_day_is_held_against_the_limits(world):
    put = world.monitoring.put
    put(PROD["project"], METRIC.format("read"), 300, age=1, type="QUERY")
    put(PROD["project"], METRIC.format("read"), 100, age=1, type="LOOKUP")
    put(PROD["project"], METRIC.format("read"), 10**9, age=26 * 3600)
    put(PROD["project"], METRIC.format("write"), 50, age=1)
    put(PROD["project"], METRIC.format("write"), 10**9, age=1, database="two")
    put(PROD["project"], STORED, 1 << 20, age=86400)
    put(PROD["project"], STORED, 1 << 29, age=3600)
    found = usage()
    assert found.status == "ok"
    assert {name: found.data[name]["used"] for name in ("reads", "writes", "deletes", "stored_bytes")} == {
        "reads": 400, "writes": 50, "deletes": 0, "stored_bytes": 1 << 29,
    }  # fmt: skip
    assert found.data["stored_bytes"]["percent"] == 50
    assert found.reason.startswith(
        "400 of 50000 reads, 50 of 20000 writes, 0 of 20000 deletes, 512.0 MiB of 1.0 GiB stored"
    )
    assert world.mutations == []


def test_a_limit_that_is_near_warns_and_one_that_is_reached_fails(world):
    world.monitoring.put(PROD["project"], METRIC.format("read"), 90, age=1)
    near = usage(reads=100)
    assert near.status == "ok"
    assert "near the limit: reads 90 of 100 (90%)" in near.warnings
    reached = usage(reads=90)
    assert "the limit is reached: reads 90 of 90 (100%)" in reached.error


def test_usage_that_nobody_measured_is_said(world):
    assert "Cloud Monitoring does not know how much is stored" in usage().warnings


@pytest.mark.parametrize(
    ("body", "told"),
    [({"timeSeries": [{"points": [{}]}]}, "makes no sense"), ([], "is no listing"), (b"no", "is no JSON")],
)
def test_hostile_numbers_are_refused_in_words(world, body, told):
    world.monitoring.answer("timeSeries.list", body)
    assert told in usage().error


def test_the_day_begins_at_midnight_in_california(world):
    since = datetime.fromisoformat(usage().data["since"])
    assert since <= datetime.now(UTC)
    assert since.hour in (7, 8)
