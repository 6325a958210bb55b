"""Google Cloud Storage: gcp-storage-emulator, and in front of it what it leaves out.

The emulator keeps the data: uploads (whole, multipart, in parts), downloads with ranges, checksums, globs, copies.
This front adds preconditions, generations, retention, holds, null in patches, offsets, pages, and errors in Google's
form. Requests and answers are held against Google's description of the JSON API (storage.v1).

It cannot show: permissions, noncurrent versions (switching versioning on is refused), partial answers by `fields` (they
are whole), rewrites that take several calls, the minutes that Google takes to apply a lifecycle (see `run_lifecycle`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.parser import BytesParser
from typing import Any
from urllib.parse import urlsplit

from services.gcs_rules import (
    BUCKET_FIELDS,
    OBJECT_FIELDS,
    check_conditions,
    check_held,
    check_name,
    merged,
    page_of,
    retained_until,
    stamp,
)
from services.gcs_store import GcsStore
from services.google import Answer, GoogleCall, GoogleProblem, own

__all__ = ["Gcs"]


class Gcs(GcsStore):
    """The service as clients see it."""

    # Buckets

    @own("buckets.insert")
    def _insert_bucket(self, call: GoogleCall) -> Any:
        name = str(call.body.get("name", ""))
        check_name(name)
        if name in self.store.buckets:
            raise GoogleProblem(
                "ALREADY_EXISTS", "Your previous request to create the named bucket succeeded and you already own it."
            )
        self.make_bucket(name)
        self._patch(self.store.buckets[name], call.body, BUCKET_FIELDS | {"name"})
        self.store.buckets[name]["metageneration"] = "1"
        return self._bucket_view(self.store.buckets[name])

    @own("buckets.get")
    def _get_bucket(self, call: GoogleCall) -> Any:
        bucket = self._bucket(call.parts["bucket"])
        check_conditions(call.query, bucket, reading=True)
        return self._bucket_view(bucket)

    @own("buckets.list")
    def _list_buckets(self, call: GoogleCall) -> Any:
        prefix = call.query.get("prefix", "")
        found = [each for each in self.store.buckets.values() if each["name"].startswith(prefix)]
        items, _none, token = page_of(found, [], call.query, self.page_size)
        page: dict[str, Any] = {"kind": "storage#buckets", "items": [self._bucket_view(item) for item in items]}
        return page | ({"nextPageToken": token} if token else {})

    @own("buckets.patch")
    def _patch_bucket(self, call: GoogleCall) -> Any:
        bucket = self._bucket(call.parts["bucket"])
        check_conditions(call.query, bucket)
        policy, wanted = bucket.get("retentionPolicy", {}), call.body.get("retentionPolicy", {})
        if policy.get("isLocked") and "retentionPolicy" in call.body:
            if wanted is None or int(wanted.get("retentionPeriod", 0)) < int(policy["retentionPeriod"]):
                raise GoogleProblem(
                    "PERMISSION_DENIED",
                    f"Cannot reduce retention duration of a locked Retention Policy for bucket '{bucket['name']}'.",
                )
        self._patch(bucket, call.body, BUCKET_FIELDS)
        return self._bucket_view(bucket)

    @own("buckets.lockRetentionPolicy")
    def _lock(self, call: GoogleCall) -> Any:
        bucket = self._bucket(call.parts["bucket"])
        check_conditions(call.query, bucket)
        if "retentionPolicy" not in bucket:
            raise GoogleProblem("INVALID_ARGUMENT", "Bucket does not have a retention policy.", reason="invalid")
        bucket["retentionPolicy"]["isLocked"] = True
        bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
        return self._bucket_view(bucket)

    @own("buckets.delete")
    def _delete_bucket(self, call: GoogleCall) -> Any:
        bucket = self._bucket(call.parts["bucket"])
        check_conditions(call.query, bucket)
        if self.store.objects.get(bucket["name"]):
            raise GoogleProblem("ALREADY_EXISTS", "The bucket you tried to delete is not empty.")
        self.store.delete_bucket(bucket["name"])
        return Answer(None, 204)

    @own("buckets.getIamPolicy")
    def _get_policy(self, call: GoogleCall) -> Any:
        return self._emulate(call)

    @own("buckets.setIamPolicy")
    def _set_policy(self, call: GoogleCall) -> Any:
        return self._emulate(call)

    @own("buckets.testIamPermissions")
    def _permissions(self, call: GoogleCall) -> Any:
        return self._emulate(call)

    # Objects

    @own("objects.list")
    def _list(self, call: GoogleCall) -> Any:
        self._bucket(call.parts["bucket"])
        query = call.query
        found, prefixes = self.store.get_file_list(
            call.parts["bucket"],
            query.get("prefix"),
            query.get("delimiter"),
            query.get("matchGlob"),
            soft_deleted=query.get("softDeleted") == "true",
        )
        items, folders, token = page_of(found, prefixes, query, self.page_size)
        page: dict[str, Any] = {"kind": "storage#objects", "items": [self._view(item) for item in items]}
        return page | ({"prefixes": folders} if folders else {}) | ({"nextPageToken": token} if token else {})

    @own("objects.get")
    def _get(self, call: GoogleCall) -> Any:
        if call.query.get("softDeleted") == "true":
            return self._emulate(call)
        return self._view(self._found(call, reading=True))

    @own("objects.download", mutates=False)
    def _download(self, call: GoogleCall) -> Any:
        item = self._found(call, reading=True)
        begin = call.headers.get("range", "").removeprefix("bytes=").partition("-")[0]
        if begin and int(begin) >= int(item["size"]):
            raise GoogleProblem("OUT_OF_RANGE", "The requested range cannot be satisfied.", 416)
        answer = self._emulate(call)
        headers = {
            **answer.headers,
            "X-Goog-Hash": f"crc32c={item['crc32c']}" + ("" if "componentCount" in item else f",md5={item['md5Hash']}"),
            "X-Goog-Generation": item["generation"],
            "X-Goog-Metageneration": item["metageneration"],
        }
        body = answer.body
        if self._cuts:
            headers["Content-Length"] = str(len(body))
            body = [body[: self._cuts.pop(0)]]
        return Answer(body, answer.status, headers)

    @own("objects.insert")
    def _insert(self, call: GoogleCall) -> Any:
        meta = _metadata(call)
        name = call.query.get("name", meta.get("name", ""))
        if not name or "\n" in name or "\r" in name or len(name.encode()) > 1024:
            raise GoogleProblem("INVALID_ARGUMENT", f"Invalid object name: '{name}'", reason="invalid")
        self._check_overwriting(call.query, call.parts["bucket"], name)
        before = set(self.store.resumable)
        answer = self._emulate(call)
        for new in set(self.store.resumable) - before:
            self.store.resumable[new]["_holds"] = _holds(meta)
        return self._created(call.parts["bucket"], name, meta, answer)

    @own("objects.upload", mutates=True)
    def _upload(self, call: GoogleCall) -> Any:
        session = self.store.resumable.get(call.query.get("upload_id", ""))
        if session is None:
            raise GoogleProblem("NOT_FOUND", "No such upload session.")
        if call.verb == "DELETE":
            self.store.delete_resumable_file_obj(call.query["upload_id"])
            return Answer(None, 499)
        self._check_overwriting(call.query, session["bucket"], session["name"])
        for line in call.headers.get("x-goog-hash", "").split(","):
            kind, _is, value = line.strip().partition("=")
            if kind in ("crc32c", "md5"):
                session[{"crc32c": "crc32c", "md5": "md5Hash"}[kind]] = value
        answer = self._emulate(call)
        if answer.status == 308 and not self.store.get_resumable_byte_count(call.query["upload_id"]):
            answer = Answer(None, 308)  # the emulator says `bytes=0-0` where nothing has arrived
        return self._created(session["bucket"], session["name"], session.get("_holds", {}), answer)

    @own("objects.patch")
    def _patch_object(self, call: GoogleCall) -> Any:
        item = self._found(call)
        held = item.get("eventBasedHold")
        self._patch(item, call.body, OBJECT_FIELDS | {"retention"})
        if held and not item.get("eventBasedHold"):
            item["_released"] = self.stamp()
        return self._view(item)

    @own("objects.delete")
    def _delete(self, call: GoogleCall) -> Any:
        item = self._found(call)
        check_held(self._bucket(item["bucket"]), item, self.now())
        self.store.delete_file(item["bucket"], item["name"])
        return Answer(None, 204)

    @own("objects.restore")
    def _restore(self, call: GoogleCall) -> Any:
        self._check_overwriting(call.query, call.parts["bucket"], call.parts["object"])
        return self._created(call.parts["bucket"], call.parts["object"], {}, self._emulate(call))

    @own("objects.rewrite")
    def _rewrite(self, call: GoogleCall) -> Any:
        return self._copied(call)

    @own("objects.copy")
    def _copy(self, call: GoogleCall) -> Any:
        return self._copied(call)

    @own("objects.compose")
    def _compose(self, call: GoogleCall) -> Any:
        bucket, name = call.parts["destinationBucket"], call.parts["destinationObject"]
        sources = call.body.get("sourceObjects", [])
        if not 1 <= len(sources) <= 32:
            raise GoogleProblem(
                "INVALID_ARGUMENT", "The number of source components is not from 1 to 32.", reason="invalid"
            )
        for source in sources:
            item = self._item(bucket, source["name"])
            if (source.get("generation") or item["generation"]) != item["generation"]:
                raise GoogleProblem("NOT_FOUND", f"No such object: {bucket}/{source['name']}")
            check_conditions({k: str(v) for k, v in source.get("objectPreconditions", {}).items()}, item)
        self._check_overwriting(call.query, bucket, name)
        answer = self._created(bucket, name, call.body.get("destination", {}), self._emulate(call))
        item = self.store.objects[bucket][name]
        item["componentCount"] = len(sources)
        return Answer(self._view(item), answer.status)

    @own("batch")
    def _batch(self, call: GoogleCall) -> Any:
        head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + call.raw).get_payload()
        text = ""
        for part in parts:
            lines, _blank, body = part.get_payload(decode=True).partition(b"\r\n\r\n")
            first, _newline, rest = lines.partition(b"\r\n")
            verb, target, *_version = first.decode().split(" ")
            headers = {k.lower(): v for k, v in BytesParser().parsebytes(rest).items()}
            inner = self.understand(
                verb, urlsplit(target)._replace(scheme="", netloc="").geturl(), headers, body.strip()
            )
            self.requests.append(inner)
            answer = self.do(inner)
            content = "" if answer.body is None else json.dumps(answer.body)
            text += f"--limit\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {answer.status} x\r\nContent-Type: application/json\r\n\r\n{content}\r\n"
        return Answer((text + "--limit--").encode(), headers={"Content-Type": "multipart/mixed; boundary=limit"})

    # How it does it

    def _bucket(self, name: str) -> dict[str, Any]:
        bucket: dict[str, Any] | None = self.store.buckets.get(name)
        if bucket is None:
            raise GoogleProblem("NOT_FOUND", "The specified bucket does not exist.")
        return bucket

    def _item(self, bucket: str, name: str) -> dict[str, Any]:
        self._bucket(bucket)
        item: dict[str, Any] | None = self.store.objects.get(bucket, {}).get(name)
        if item is None:
            raise GoogleProblem("NOT_FOUND", f"No such object: {bucket}/{name}")
        return item

    def _found(self, call: GoogleCall, *, reading: bool = False) -> dict[str, Any]:
        item = self._item(call.parts["bucket"], call.parts["object"])
        if call.query.get("generation", item["generation"]) != item["generation"]:
            raise GoogleProblem(
                "NOT_FOUND", f"No such object: {item['bucket']}/{item['name']}#{call.query['generation']}"
            )
        check_conditions(call.query, item, reading=reading)
        return item

    def _check_overwriting(self, query: Mapping[str, str], bucket: str, name: str) -> None:
        holder = self._bucket(bucket)
        current = self.store.objects.get(bucket, {}).get(name)
        check_conditions(query, current)
        check_held(holder, current, self.now())

    def _copied(self, call: GoogleCall) -> Answer:
        parts = call.parts
        source = self._item(parts["sourceBucket"], parts["sourceObject"])
        if call.query.get("sourceGeneration", source["generation"]) != source["generation"]:
            raise GoogleProblem("NOT_FOUND", f"No such object: {source['bucket']}/{source['name']}")
        check_conditions(call.query, source, prefix="ifSource")
        self._check_overwriting(call.query, parts["destinationBucket"], parts["destinationObject"])
        answer = self._emulate(call)
        made = self._created(parts["destinationBucket"], parts["destinationObject"], call.body or {}, answer)
        if "resource" in answer.body:
            return Answer({**answer.body, "resource": made.body})
        return made

    def _created(self, bucket: str, name: str, meta: Mapping[str, Any], answer: Answer) -> Answer:
        """Finish what the emulator made; answers that made nothing pass as they are."""
        item = self.store.objects.get(bucket, {}).get(name)
        if answer.status != 200 or not answer.body or item is None:
            return answer
        self._settle(item, meta)
        return Answer(self._view(item), 200, answer.headers)

    def _settle(self, item: dict[str, Any], meta: Mapping[str, Any]) -> None:
        item["timeCreated"] = item["updated"] = item["timeStorageClassUpdated"] = self.stamp()
        item.pop("_holds", None)
        item.update(_holds(meta))
        item["metageneration"] = "1"
        if self._bucket(item["bucket"]).get("defaultEventBasedHold") and "eventBasedHold" not in item:
            item["eventBasedHold"] = True

    def _patch(self, resource: dict[str, Any], patch: Mapping[str, Any], writable: set[str]) -> None:
        if patch.get("versioning", {}) and patch["versioning"].get("enabled"):
            raise GoogleProblem("UNIMPLEMENTED", "this fake keeps no noncurrent versions")
        known = {name: value for name, value in patch.items() if name in writable}
        new = merged(resource, known)
        if "retentionPolicy" in known and new.get("retentionPolicy"):
            new["retentionPolicy"].setdefault("effectiveTime", self.stamp())
            new["retentionPolicy"].setdefault("isLocked", False)
            new["retentionPolicy"]["retentionPeriod"] = str(new["retentionPolicy"]["retentionPeriod"])
        resource.clear()
        resource.update(new, metageneration=str(int(new["metageneration"]) + 1), updated=self.stamp())

    def _bucket_view(self, bucket: Mapping[str, Any]) -> dict[str, Any]:
        view = {name: value for name, value in bucket.items() if name not in ("acl", "defaultObjectAcl")}
        if "retentionPolicy" in view:
            view["retentionPolicy"] = {k: v for k, v in view["retentionPolicy"].items() if k != "isLocked" or v}
        return view

    def _view(self, item: Mapping[str, Any]) -> dict[str, Any]:
        hidden = ("acl", "md5Hash") if "componentCount" in item else ("acl",)
        view = {name: value for name, value in item.items() if not name.startswith("_") and name not in hidden}
        until = retained_until(self._bucket(item["bucket"]), item)
        return {**view, "size": str(view["size"])} | ({"retentionExpirationTime": stamp(until)} if until else {})


def _metadata(call: GoogleCall) -> dict[str, Any]:
    """Return the description of an object that comes with its upload."""
    if isinstance(call.body, dict):
        return call.body
    kind = call.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return {}
    parts = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + call.raw).get_payload()
    meta: dict[str, Any] = json.loads(parts[0].get_payload(decode=True))
    return meta


def _holds(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {name: meta[name] for name in ("eventBasedHold", "temporaryHold") if name in meta}
