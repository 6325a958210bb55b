"""What Firestore tells of operations, and times as Google writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opslib.cloud.errors import MalformedError
from opslib.cloud.gcp.firestore_operations import State, operation_of
from opslib.cloud.gcp.firestore_task import DatabaseId, ExportAddress, Snapshot
from opslib.cloud.gcp.times import moment_of
from opslib.host.params import ParamError

NAME = "projects/p/databases/(default)/operations/ASA1MDAwMQ=="
EXPORT = {
    "name": NAME,
    "metadata": {
        "@type": "type.googleapis.com/google.firestore.admin.v1.ExportDocumentsMetadata",
        "startTime": "2026-01-31T02:00:00.123456789Z",
        "operationState": "PROCESSING",
        "outputUriPrefix": "gs://b/daily/",
        "progressDocuments": {"completedWork": "3", "estimatedWork": "6"},
    },
}


def told(**metadata):
    return {**EXPORT, "metadata": {**EXPORT["metadata"], **metadata}}


def test_an_operation_is_read():
    found = operation_of(EXPORT)
    assert (found.id, found.kind, found.state, found.done, found.good) == (
        "ASA1MDAwMQ==",
        "export",
        State.PROCESSING,
        False,
        False,
    )
    assert (found.address, found.documents, found.expected, found.bytes) == ("gs://b/daily", 3, 6, None)
    assert found.began == datetime(2026, 1, 31, 2, 0, 0, 123456, UTC)


@pytest.mark.parametrize(
    ("more", "failure"),
    [
        ({"done": True, "response": {}}, ""),
        ({"done": True, "error": {"code": 13, "message": "no\n\x1b[1mway"}}, "no\\n\\x1b[1mway"),
        ({"done": True, "error": {}}, "it does not say why"),
        ({"done": True, "error": "x"}, "it does not say why"),
    ],
)
def test_its_end_is_good_or_says_why_not(more, failure):
    found = operation_of({**EXPORT, **more})
    assert (found.failure, found.good) == (failure, not failure)


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "CANCELLING"])
def test_a_bad_state_is_a_failure_even_with_a_response(state):
    assert operation_of({**told(operationState=state), "done": True, "response": {}}).failure == f"it is {state}"


@pytest.mark.parametrize(
    "answer",
    [
        None, [], "x", {}, {"name": 1}, {"name": "x"}, {"name": NAME + "/../x"}, {**EXPORT, "metadata": []},
        {**EXPORT, "done": "yes"}, {**EXPORT, "done": True}, told(operationState="DREAMING"), told(operationState=[1]),
        told(startTime="yesterday"), told(startTime=1), told(progressDocuments=[]), told(progressDocuments={"completedWork": "x"}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(answer):
    with pytest.raises(MalformedError):
        operation_of(answer)


@pytest.mark.parametrize(
    "text", ["2026-01-31T02:00:00Z", "2026-01-31T02:00:00.000000001Z", "2026-01-31T03:00:00+01:00"]
)
def test_times_are_read_to_the_microsecond(text):
    assert moment_of(text, "x") == datetime(2026, 1, 31, 2, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, 1, "", "2026-01-31", "2026-13-31T02:00:00Z", "2026-01-31T02:00:00", "9" * 999])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(MalformedError, match="x is no time"):
        moment_of(text, "x")


@pytest.mark.parametrize("value", ["gs://b-1/a", "gs://bucket/a/b c/d%Y"])
def test_addresses_are_taken(value):
    assert ExportAddress()(value + "/") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bucket/a",
        "gs://b",
        "gs://bucket",
        "gs://bucket//a",
        "gs://bucket/a/../b",
        "gs://-x/a",
        "gs://b_/a\n",
        "gs://bucket/" + "a" * 901,
    ],
)
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ParamError):
        ExportAddress()(value)


@pytest.mark.parametrize("value", ["(default)", "abcd", "a" + "b" * 62])
def test_databases_are_taken(value):
    assert DatabaseId()(value) == value


@pytest.mark.parametrize(
    "value", ["", "abc", "default", "Abcd", "ab--cd", "abcd-", "1abc", "../abcd", "(default)x", "a" * 64]
)
def test_what_is_no_database_is_refused(value):
    if value == "default":
        assert DatabaseId()(value) == value
        return
    with pytest.raises(ParamError):
        DatabaseId()(value)


def test_snapshots_are_full_minutes_of_the_past_unless_told():
    now = datetime(2026, 1, 31, 2, 0, 5, 7, UTC)
    assert Snapshot.moment("now", now) == datetime(2026, 1, 31, 1, 59, tzinfo=UTC)
    assert Snapshot.moment("none", now) is None
    assert Snapshot.moment("2026-01-31T03:00:00+01:00", now) == datetime(2026, 1, 31, 2, tzinfo=UTC)
    for value in ("yesterday", "2026-01-31T02:00:00"):
        with pytest.raises(ParamError):
            Snapshot()(value)
