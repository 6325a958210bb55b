"""The GCS back end behaves as Google's documentation says, seen through Google's own client."""

from __future__ import annotations

import io
import json
import os
import random
from datetime import timedelta

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import InvalidOperation
from google.cloud import storage

from services.gcs import Gcs


@pytest.fixture(scope="module")
def service():
    with Gcs() as gcs:
        yield gcs


@pytest.fixture
def gcs(service):
    service.reset()
    return service


@pytest.fixture
def client(gcs, monkeypatch):
    for name, value in gcs.environment.items():
        monkeypatch.setenv(name, value)
    with storage.Client(project="sandbox", credentials=AnonymousCredentials()) as client:
        yield client


@pytest.fixture
def bucket(client, gcs):
    made = client.create_bucket("backups", location="EU")
    gcs.requests.clear()
    return made


def test_what_is_uploaded_comes_back_whole(bucket, gcs):
    noise = random.Random(7).randbytes(900_000)
    bucket.blob("a/whole").upload_from_string(b"\r\n--\n\r" + noise)
    parts = bucket.blob("a/parts", chunk_size=256 * 1024)
    parts.upload_from_file(io.BytesIO(noise))
    assert bucket.blob("a/whole").download_as_bytes() == b"\r\n--\n\r" + noise
    assert bucket.blob("a/parts").download_as_bytes(start=5, end=9) == noise[5:10]
    assert [call.operation for call in gcs.mutations] == ["objects.insert", "objects.insert", *["objects.upload"] * 4]
    assert bucket.location == "EU"


def test_generations_guard_uploads_downloads_and_deletions(bucket):
    first = bucket.blob("x")
    first.upload_from_string(b"1", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"2", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x", chunk_size=256 * 1024).upload_from_file(io.BytesIO(b"2" * 300_000), if_generation_match=0)
    old = first.generation
    bucket.blob("x").upload_from_string(b"3", if_generation_match=old)
    for attempt in (
        lambda: bucket.blob("x").delete(if_generation_match=old),
        lambda: bucket.blob("x").download_as_bytes(if_generation_match=old),
        lambda: bucket.get_blob("x", if_metageneration_match=7),
        lambda: bucket.rename_blob(bucket.blob("x"), "y", if_source_generation_match=old),
    ):
        with pytest.raises(exceptions.PreconditionFailed):
            attempt()
    assert bucket.get_blob("x", generation=old) is None
    with pytest.raises(exceptions.NotModified):
        bucket.blob("x").reload(if_generation_not_match=bucket.get_blob("x").generation)
    assert bucket.blob("x").download_as_bytes() == b"3"


def test_listings_come_in_pages_and_between_offsets(bucket, client, gcs):
    for number in range(7):
        gcs.put("backups", f"daily/{number}")
    gcs.put("backups", "manual/1")
    gcs.page_size = 3
    names = [blob.name for blob in client.list_blobs("backups", prefix="daily/")]
    assert names == [f"daily/{number}" for number in range(7)]
    assert len(gcs.calls("objects.list")) == 3
    between = client.list_blobs("backups", start_offset="daily/2", end_offset="daily/5")
    assert [blob.name for blob in between] == ["daily/2", "daily/3", "daily/4"]
    folders = client.list_blobs("backups", delimiter="/")
    assert list(folders) == []
    assert folders.prefixes == {"daily/", "manual/"}
    assert [blob.name for blob in client.list_blobs("backups", match_glob="**/[56]")] == ["daily/5", "daily/6"]


def test_wrong_checksums_are_refused(bucket, gcs):
    blob = bucket.blob("x")
    blob.crc32c = "AAAAAA=="
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string(b"1", checksum=None)
    assert gcs.names("backups") == []
    gcs.put("backups", "y", b"right")
    gcs.corrupt("backups", "y", b"wrong")
    with pytest.raises(Exception, match="Checksum mismatch"):
        bucket.blob("y").download_as_bytes()


def test_retention_keeps_the_young_until_it_is_cleared(bucket, gcs):
    bucket.retention_period = 3600
    bucket.patch()
    gcs.put("backups", "young", age=10)
    gcs.put("backups", "old", age=3700)
    young = bucket.get_blob("young")
    assert young.retention_expiration_time - young.time_created == timedelta(seconds=3600)
    for attempt in (young.delete, lambda: bucket.blob("young").upload_from_string(b"new")):
        with pytest.raises(exceptions.Forbidden, match="retention policy"):
            attempt()
    bucket.blob("old").delete()
    bucket.retention_period = None
    bucket.patch()
    bucket.reload()
    assert bucket.retention_period is None
    bucket.blob("young").delete()
    assert gcs.names("backups") == []


def test_a_locked_retention_can_only_grow(bucket):
    bucket.retention_period = 3600
    bucket.patch()
    bucket.lock_retention_policy()
    for seconds in (None, 60):
        bucket.retention_period = seconds
        with pytest.raises(exceptions.Forbidden):
            bucket.patch()
        bucket.reload()
    bucket.retention_period = 7200
    bucket.patch()
    bucket.reload()
    assert (bucket.retention_period, bucket.retention_policy_locked) == (7200, True)


@pytest.mark.parametrize("hold", ["temporary_hold", "event_based_hold"])
def test_held_objects_stay(bucket, gcs, hold):
    gcs.put("backups", "x")
    blob = bucket.get_blob("x")
    setattr(blob, hold, True)
    blob.patch(if_metageneration_match=blob.metageneration)
    with pytest.raises(exceptions.Forbidden, match="hold"):
        blob.delete()
    assert getattr(bucket.get_blob("x"), hold) is True
    setattr(blob, hold, False)
    blob.patch()
    blob.delete()


def test_retention_begins_when_the_event_has_come(bucket, gcs):
    bucket.retention_period = 3600
    bucket.default_event_based_hold = True
    bucket.patch()
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    gcs.backdate("backups", "x", 7200)
    blob.reload()
    assert (blob.event_based_hold, blob.retention_expiration_time) == (True, None)
    blob.event_based_hold = False
    blob.patch()
    with pytest.raises(exceptions.Forbidden, match="retention policy"):
        blob.delete()
    gcs.advance(3601)
    blob.delete()


def test_lifecycle_is_kept_and_obeyed(bucket, gcs):
    bucket.add_lifecycle_delete_rule(age=30, matches_prefix=["daily/"])
    bucket.patch()
    gcs.put("backups", "daily/old", age=31 * 86400)
    gcs.put("backups", "daily/young", age=29 * 86400)
    gcs.put("backups", "manual/old", age=31 * 86400)
    assert gcs.run_lifecycle() == ["daily/old"]
    bucket.reload()
    assert [rule["condition"] for rule in bucket.lifecycle_rules] == [{"age": 30, "matchesPrefix": ["daily/"]}]
    bucket.clear_lifecycle_rules()
    bucket.patch()
    bucket.reload()
    assert list(bucket.lifecycle_rules) == []


def test_batches_obey_the_same_rules(bucket, client, gcs):
    for name in ("a", "b"):
        gcs.put("backups", name)
    with pytest.raises(exceptions.PreconditionFailed), client.batch():
        bucket.blob("a").delete()
        bucket.blob("b").delete(if_generation_match=1)
    assert gcs.names("backups") == ["b"]


def test_copies_compositions_and_missing_things(bucket, client, gcs):
    gcs.put("backups", "a", b"1")
    gcs.put("backups", "b", b"2")
    bucket.blob("ab").compose([bucket.blob("a"), bucket.blob("b")])
    composed = bucket.get_blob("ab")
    assert (composed.download_as_bytes(), composed.component_count, composed.md5_hash) == (b"12", 2, None)
    bucket.copy_blob(composed, bucket, "copy")
    assert gcs.content("backups", "copy") == b"12"
    assert bucket.get_blob("none") is None
    assert client.lookup_bucket("nowhere") is None
    with pytest.raises(exceptions.NotFound):
        bucket.blob("none").delete()
    with pytest.raises(exceptions.BadRequest):
        client.create_bucket("Capital")


def test_faults_come_as_scripted(bucket, gcs):
    gcs.put("backups", "x", b"abcdef")
    gcs.throttle("objects.get", 2)
    bucket.blob("x").reload()
    assert len(gcs.calls("objects.get")) == 3
    gcs.fail("objects.delete", after_effect=True)
    with pytest.raises(exceptions.ServiceUnavailable):
        bucket.blob("x").delete(retry=None)
    assert gcs.names("backups") == []
    gcs.put("backups", "x", b"abcdef")
    gcs.cut_downloads(3)
    with pytest.raises(Exception, match="3 bytes read"):
        bucket.blob("x").download_as_bytes(retry=None)
    gcs.answer("objects.get", {"size": []})
    with pytest.raises(TypeError):
        assert bucket.get_blob("x").size
    gcs.expire_credentials()
    with pytest.raises(InvalidOperation, match="cannot be refreshed"):
        bucket.get_blob("x")


def test_an_upload_of_which_nothing_has_arrived_says_so(bucket, client, gcs):
    address = bucket.blob("x").create_resumable_upload_session(size=5)
    asked = {"headers": {"Content-Range": "bytes */5"}}
    nothing = client._http.put(address, **asked)
    assert (nothing.status_code, nothing.headers.get("Range")) == (308, None)
    client._http.put(address, data=b"12", headers={"Content-Range": "bytes 0-1/5"})
    assert client._http.put(address, **asked).headers["Range"] == "bytes=0-1"


def test_looking_is_no_mutation_and_uploading_is(bucket, client, gcs):
    gcs.put("backups", "x")
    list(client.list_blobs("backups"))
    bucket.get_blob("x").download_as_bytes()
    assert [call.operation for call in gcs.requests] == ["objects.list", "objects.get", "objects.download"]
    assert gcs.mutations == []
    bucket.blob("x").delete()
    assert [call.operation for call in gcs.mutations] == ["objects.delete"]


def test_what_contradicts_the_description_is_refused(client, gcs):
    for path, body in (
        ("/storage/v1/b?project=p", {"name": "backups", "colour": "red"}),
        ("/storage/v1/b", {"name": "backups"}),
    ):
        answer = client._http.post(gcs.url + path, json=body)
        assert (answer.status_code, gcs.store.buckets) == (400, {})
    answer = client._http.get(gcs.url + "/storage/v1/b?project=p&maxResults=many")
    assert "maxResults" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "storage#bucket", "metageneration": 1}, "no int64 as text"),
        ({"kind": "storage#bucket", "timeCreated": "yesterday"}, "no date-time"),
        ({"kind": "storage#bucket", "colour": "red"}, "has no member colour"),
        ({"lifecycle": {"rule": [{"condition": {"age": "30"}}]}}, "no int32"),
    ],
)
def test_an_answer_that_contradicts_the_description_is_a_defect_of_the_fake(monkeypatch, wrong, told):
    monkeypatch.setattr(Gcs, "_bucket_view", lambda self, bucket: wrong)
    broken = Gcs().start()
    broken.make_bucket("backups")
    call = broken.understand("GET", "/storage/v1/b/backups", {}, b"")
    answer = broken.do(call)
    assert "the fake is broken" in answer.body["error"]["message"]
    with pytest.raises(AssertionError, match=told):
        broken.stop()


def test_gcloud_finds_it_too(bucket, gcs, tmp_path):
    import shutil
    import subprocess

    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip("gcloud is not installed")
    gcs.put("backups", "daily/x", b"123")
    generation = bucket.get_blob("daily/x").generation
    environment = {
        **os.environ,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": gcs.url + "/storage/v1/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_PROJECT": "sandbox",
    }
    line = [gcloud, "storage", "ls", "--json", "gs://backups/daily/"]
    found = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stderr
    assert [each["url"] for each in json.loads(found.stdout)] == [f"gs://backups/daily/x#{generation}"]
