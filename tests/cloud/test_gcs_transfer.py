"""Uploads and downloads arrive whole and verified or not at all, and go on where they broke."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import random
import stat

import google_crc32c
import pytest
from werkzeug.wrappers import Response

from support.cloud import run, timeouts

ARGS = {"project": "spendsense-test", "bucket": "backups", "wait": 60, "poll": 0.001}
DATA = random.Random(5).randbytes(900_000)


@pytest.fixture
def bucket(gcs):
    gcs.make_bucket("backups")
    return gcs


def crc(data):
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


@pytest.fixture
def dump(tmp_path):
    path = tmp_path / "a dump"
    path.write_bytes(DATA)
    return path


def up(path, **more):
    return {**ARGS, "path": str(path), "object": "manual/dump", "part": "256K", **more}


def down(path, **more):
    return {**ARGS, "path": str(path), "object": "manual/dump", **more}


def test_no_request_is_given_longer_than_there_is_time(bucket, dump, tmp_path, monkeypatch):
    seen = timeouts(monkeypatch)
    assert run("gcs_upload", up(dump, wait=9)).status == "changed"
    assert run("gcs_download", down(tmp_path / "back", wait=9)).status == "changed"
    assert len(seen) > len(bucket.mutations)
    assert max(seen) <= 9


# up


def test_an_upload_is_checked_run_and_run_again(bucket, dump):
    ran = run("gcs_upload", up(dump), check=True)
    assert (ran.status, bucket.mutations) == ("changed", [])
    assert ran.summaries == [
        "upload a dump (878.9 KiB) to gs://backups/manual/dump (project spendsense-test, bucket backups)"
    ]
    ran = run("gcs_upload", up(dump))
    assert (ran.status, ran.error) == ("changed", None)
    assert bucket.content("backups", "manual/dump") == DATA
    assert [call.operation for call in bucket.mutations] == ["objects.insert", *["objects.upload"] * 4]
    ran = run("gcs_upload", up(dump))
    assert (ran.status, len(bucket.mutations)) == ("ok", 5)
    assert ran.data["url"] == "gs://backups/manual/dump"


def test_another_content_is_replaced_only_when_told(bucket, dump):
    bucket.put("backups", "manual/dump", b"precious")
    ran = run("gcs_upload", up(dump))
    assert ran.error == "other content in 1 object: manual/dump; overwrite replaces it"
    assert bucket.mutations == []
    ran = run("gcs_upload", up(dump, overwrite=True))
    assert (ran.status, ran.changes[0]["before"]) == ("changed", f"crc32c {crc(b'precious')}")
    assert bucket.content("backups", "manual/dump") == DATA


def test_a_folder_goes_up_whole_and_links_are_left_out(bucket, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "b").write_bytes(b"")
    (tmp_path / "in" / "ä #?%").write_bytes(b"1")
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    (tmp_path / "in" / "evil\x1b[2J").write_bytes(b"1")
    os.mkfifo(tmp_path / "in" / "pipe")
    args = {**ARGS, "path": str(tmp_path / "in"), "prefix": "site"}
    ran = run("gcs_upload", args)
    assert (ran.status, bucket.names("backups")) == ("changed", ["site/deep/b", "site/ä #?%"])
    assert sorted(ran.warnings) == [
        f"{name} is left out: it is no regular file with a plain name" for name in (r"evil\x1b[2J", "link", "pipe")
    ]
    assert run("gcs_upload", args).status == "ok"


@pytest.mark.parametrize("after_effect", [False, True])
def test_an_upload_goes_on_where_it_broke(bucket, dump, after_effect):
    bucket.fail("objects.upload", times=2, after_effect=after_effect)
    bucket.drop("objects.upload", times=1, after_effect=after_effect)
    ran = run("gcs_upload", up(dump))
    assert (ran.status, ran.error) == ("changed", None)
    assert bucket.content("backups", "manual/dump") == DATA
    assert len(bucket.calls("objects.insert")) == 1


def test_an_upload_whose_last_answer_is_lost_is_found_to_be_done(bucket, tmp_path):
    small = tmp_path / "small"
    small.write_bytes(b"all in one part")
    bucket.fail("objects.upload", after_effect=True)
    assert run("gcs_upload", up(small)).status == "changed"
    assert len(bucket.calls("objects.upload")) == 1


def test_an_upload_that_the_service_forgot_begins_anew(bucket, dump):
    bucket.fail("objects.upload", status=410, code="NOT_FOUND")
    assert run("gcs_upload", up(dump)).status == "changed"
    assert len(bucket.calls("objects.insert")) == 2
    assert bucket.content("backups", "manual/dump") == DATA


def test_a_file_that_changes_on_the_way_makes_no_object(bucket, dump, monkeypatch):
    original = bucket.perform

    def perform(call, request):
        with dump.open("r+b") as file:
            file.seek(700_000)
            file.write(b"changed")
        return original(call, request)

    monkeypatch.setattr(
        bucket, "perform", lambda c, r: perform(c, r) if c.operation == "objects.upload" else original(c, r)
    )
    ran = run("gcs_upload", up(dump))
    assert (ran.status, "400" in ran.error, bucket.names("backups")) == ("failed", True, [])


def test_an_object_that_appears_meanwhile_is_left(bucket, dump, monkeypatch):
    original = bucket.perform

    def perform(call, request):
        if call.operation == "objects.insert":
            bucket.put("backups", "manual/dump", b"somebody else's")
        return original(call, request)

    monkeypatch.setattr(bucket, "perform", perform)
    ran = run("gcs_upload", up(dump, overwrite=True))
    assert "412" in ran.error
    assert bucket.content("backups", "manual/dump") == b"somebody else's"


@pytest.mark.parametrize("times", [1, 10])
def test_uploads_wait_out_throttling(bucket, dump, times):
    bucket.throttle("objects.insert", times)
    bucket.throttle("objects.upload", times)
    assert run("gcs_upload", up(dump)).status == "changed"


@pytest.mark.usefixtures("unhurried")
def test_uploads_tell_endless_throttling_and_expired_credentials(bucket, dump):
    bucket.throttle("objects.upload")
    assert "429" in run("gcs_upload", up(dump, wait=0.2)).error
    bucket.mend()
    bucket.expire_credentials(4)
    assert "credentials" in run("gcs_upload", up(dump)).error
    assert bucket.names("backups") == []


def test_the_address_of_an_upload_is_never_shown(bucket, dump):
    bucket.drop("objects.upload", times=None)
    ran = run("gcs_upload", up(dump, wait=0.2))
    assert (ran.status, "upload_id" in repr(ran)) == ("failed", False)


def test_a_service_that_sends_the_file_elsewhere_is_not_followed(bucket, dump):
    elsewhere = Response("{}", 200, headers={"Location": "http://evil.example/upload"})
    bucket.twist("objects.insert", lambda _: elsewhere)
    assert "names another server" in run("gcs_upload", up(dump)).error
    assert bucket.calls("objects.upload") == []


@pytest.mark.parametrize(
    ("headers", "body", "status", "told"),
    [
        ({"Range": "bytes=0-99999999"}, "", 308, "the service says that it has"),
        ({"Range": "bytes=%1b[2J"}, "", 308, "the service says that it has"),
        ({}, "[]", 200, "is not the file"),
        ({}, '{"name": "manual/dump", "size": "3", "crc32c": "AAAAAA=="}', 200, "is not the file"),
    ],
)
def test_uploads_tell_answers_that_make_no_sense(bucket, dump, headers, body, status, told):
    bucket.twist("objects.upload", lambda _: Response(body, status, headers=headers), times=None)
    ran = run("gcs_upload", up(dump))
    assert told in ran.error
    assert ran.error.isprintable()


# down


@pytest.fixture
def there(bucket):
    bucket.put("backups", "manual/dump", DATA)
    return bucket


def test_a_download_is_checked_run_and_run_again(there, tmp_path):
    path = tmp_path / "got"
    ran = run("gcs_download", down(path), check=True)
    assert (ran.status, list(tmp_path.iterdir())) == ("changed", [])
    assert ran.summaries == [
        f"download gs://backups/manual/dump (878.9 KiB) to {path} (project spendsense-test, bucket backups)"
    ]
    ran = run("gcs_download", down(path))
    assert (ran.status, ran.error, path.read_bytes() == DATA) == ("changed", None, True)
    assert (stat.S_IMODE(path.stat().st_mode), list(tmp_path.iterdir())) == (0o600, [path])
    there.requests.clear()
    ran = run("gcs_download", down(path))
    assert (ran.status, there.calls("objects.download"), there.mutations) == ("ok", [], [])


def test_a_file_with_other_content_is_replaced_only_when_told(there, tmp_path):
    path = tmp_path / "got"
    path.write_bytes(b"precious")
    assert "other content in 1 file: got; overwrite replaces it" in run("gcs_download", down(path)).error
    assert path.read_bytes() == b"precious"
    ran = run("gcs_download", down(path, overwrite=True, mode="0640"))
    assert (ran.status, path.read_bytes() == DATA, stat.S_IMODE(path.stat().st_mode)) == ("changed", True, 0o640)


def test_all_below_a_prefix_comes_down(bucket, tmp_path):
    for name, data in (("a/1", b"1"), ("a/b/2", b""), ("a/", b""), ("ab", b"x")):
        bucket.put("backups", name, data)
    args = {**ARGS, "path": str(tmp_path / "to"), "prefix": "a"}
    assert run("gcs_download", args, check=True).status == "changed"
    assert not (tmp_path / "to").exists()
    assert run("gcs_download", args).status == "changed"
    found = sorted(str(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*") if path.is_file())
    assert found == ["1", "b/2"]
    assert stat.S_IMODE((tmp_path / "to" / "b").stat().st_mode) == 0o700
    assert run("gcs_download", args).status == "ok"


def test_a_download_goes_on_where_it_broke(there, tmp_path):
    there.cut_downloads(300_000, 50_000)
    there.fail("objects.download", times=1)
    ran = run("gcs_download", down(tmp_path / "got"))
    assert (ran.status, (tmp_path / "got").read_bytes() == DATA) == ("changed", True)
    assert [call.headers.get("range") for call in there.calls("objects.download")][-1] == "bytes=350000-"


def part_of(gcs, folder):
    """Return where a download of this version is kept until it is whole."""
    generation = gcs.store.objects["backups"]["manual/dump"]["generation"]
    return folder / f".opslib-{hashlib.sha256(b'got').hexdigest()[:16]}-{generation}.part"


@pytest.mark.usefixtures("unhurried")
def test_a_run_that_was_cut_is_taken_up_by_the_next(there, tmp_path):
    there.cut_downloads(300_000, *[0] * 1000)
    ran = run("gcs_download", down(tmp_path / "got", wait=0.2))
    assert "the connection broke after 300000 bytes" in ran.error
    part = part_of(there, tmp_path)
    assert list(tmp_path.iterdir()) == [part]
    assert (stat.S_IMODE(part.stat().st_mode), part.stat().st_size) == (0o600, 300_000)
    there.mend()
    there.requests.clear()
    assert run("gcs_download", down(tmp_path / "got")).status == "changed"
    assert [call.headers.get("range") for call in there.calls("objects.download")] == ["bytes=300000-"]
    assert ((tmp_path / "got").read_bytes() == DATA, len(list(tmp_path.iterdir()))) == (True, 1)


def test_a_beginning_that_is_wrong_is_thrown_away(there, tmp_path):
    part = part_of(there, tmp_path)
    part.write_bytes(b"wrong")
    part.chmod(0o600)
    assert run("gcs_download", down(tmp_path / "got")).status == "changed"
    assert ((tmp_path / "got").read_bytes() == DATA, len(list(tmp_path.iterdir()))) == (True, 1)


@pytest.mark.parametrize("plant", ["readable", "linked"])
def test_a_part_that_somebody_else_could_have_planted_is_not_used(there, tmp_path, plant):
    part = part_of(there, tmp_path)
    part.write_bytes(DATA[:100])
    if plant == "linked":
        part.chmod(0o600)
        os.link(part, tmp_path / "theirs")
    assert run("gcs_download", down(tmp_path / "got")).status == "changed"
    assert there.calls("objects.download")[0].headers.get("range") is None
    assert plant == "readable" or (tmp_path / "theirs").read_bytes() == DATA[:100]


def test_a_corrupted_object_writes_nothing(there, tmp_path):
    there.corrupt("backups", "manual/dump", DATA[:-1] + b"#")
    ran = run("gcs_download", down(tmp_path / "got"))
    assert ran.error == (
        f"downloading gs://backups/manual/dump: its checksum is {crc(DATA[:-1] + b'#')}, and {crc(DATA)} was promised"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(there, tmp_path, monkeypatch):
    there.cut_downloads(1000)
    original = there.perform

    def perform(call, request):
        if call.headers.get("range"):
            there.put("backups", "manual/dump", b"other")
        return original(call, request)

    monkeypatch.setattr(there, "perform", perform)
    ran = run("gcs_download", down(tmp_path / "got"))
    assert ("404" in ran.error, (tmp_path / "got").exists()) == (True, False)


def test_a_second_run_at_the_same_time_is_told(there, tmp_path):
    with open(os.open(part_of(there, tmp_path), os.O_CREAT | os.O_RDWR, 0o600), "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another run is downloading got" in run("gcs_download", down(tmp_path / "got")).error


def test_a_full_disk_is_told_before_anything_is_written(there, tmp_path, monkeypatch):
    there.store.objects["backups"]["manual/dump"]["size"] = str(10**15)
    ran = run("gcs_download", down(tmp_path / "got"))
    assert "needs 909.5 TiB, and the disk has" in ran.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/../../etc/cron.d/x", "a//etc/x", "a/./x", "a/x\x1b[2J", "a/x\n", "a/" + "x" * 256])
def test_hostile_names_lead_nowhere(bucket, tmp_path, name):
    bucket.put("backups", "a/0", b"")
    bucket.twist("objects.list", lambda body: body["items"][0].update(name=name), times=None)
    ran = run("gcs_download", {**ARGS, "path": str(tmp_path / "to"), "prefix": "a/"})
    assert "has a name that no file here can have" in ran.error
    assert (ran.error.isprintable(), list(tmp_path.iterdir()), bucket.calls("objects.download")) == (True, [], [])


def test_links_below_the_folder_are_not_followed(bucket, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "to" / "sub").symlink_to(tmp_path / "secret")
    (tmp_path / "to" / "file").symlink_to("/etc/passwd")
    bucket.put("backups", "a/sub/x", b"1")
    args = {**ARGS, "path": str(tmp_path / "to"), "prefix": "a/", "overwrite": True}
    assert "sub is no folder" in run("gcs_download", args).error
    bucket.reset()
    bucket.make_bucket("backups")
    bucket.put("backups", "a/file", b"1")
    assert "file is no file that can be read" in run("gcs_download", args).error
    assert list((tmp_path / "secret").iterdir()) == []


@pytest.mark.parametrize("times", [1, 10])
def test_downloads_wait_out_throttling(there, tmp_path, times):
    there.throttle("*", times)
    there.throttle("objects.download", times)
    assert run("gcs_download", down(tmp_path / "got")).status == "changed"


@pytest.mark.usefixtures("unhurried")
def test_downloads_tell_endless_throttling_and_expired_credentials(there, tmp_path):
    there.throttle("objects.download")
    assert "429" in run("gcs_download", down(tmp_path / "got", wait=0.2)).error
    there.mend()
    there.expire_credentials(2)
    assert "credentials" in run("gcs_download", down(tmp_path / "got")).error
    assert not (tmp_path / "got").exists()


def test_what_is_not_there_is_told(bucket, tmp_path):
    assert run("gcs_download", down(tmp_path / "got")).error == "there is no object gs://backups/manual/dump"
    ran = run("gcs_download", {**ARGS, "path": str(tmp_path / "to"), "prefix": "a/"})
    assert ran.error == "there is no object below gs://backups/a/"
    assert "there is no file" in run("gcs_upload", up(tmp_path / "nothing")).error


@pytest.mark.parametrize(
    ("task", "more", "told"),
    [
        ("gcs_download", {"prefix": "x"}, "give either object or prefix"),
        ("gcs_download", {"object": None}, "give either object or prefix"),
        ("gcs_download", {"object": "../etc/passwd"}, "holds '..'"),
        ("gcs_download", {"path": "relative"}, "no absolute path"),
        ("gcs_download", {"mode": "rw"}, "octal"),
        ("gcs_upload", {"part": "100K"}, "no multiple of 256K"),
        ("gcs_upload", {"part": 0}, "no multiple of 256K"),
        ("gcs_upload", {"object": "gs://x/y"}, "gs://"),
        ("gcs_upload", {"object": "x" * 1025}, "1024 bytes"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_asked(bucket, task, more, told):
    ran = run(task, {**ARGS, "path": "/x/y", "object": "o", **more})
    assert told in ran.error
    assert bucket.requests == []
