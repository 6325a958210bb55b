"""Images in moto's ECR, as if they had been pushed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import boto3
from moto.backends import get_backend

from services.aws_json import ACCOUNT, REGION

DAY = 86400
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def manifest(seed):
    """Return an image's manifest; its layers are nowhere."""
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 7, "digest": digest_of(seed)}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [{**config, "size": 1000}]}
    )


def index(*digests):
    """Return the manifest of an index."""
    parts = [{"mediaType": MANIFEST, "digest": digest, "size": 1} for digest in digests]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts})


class Ecr:
    """A repository of moto."""

    def __init__(self, name="spendsense-api"):
        self.name = name
        self.client = boto3.client("ecr", region_name=REGION)
        self.client.create_repository(repositoryName=name)

    @property
    def images(self):
        return get_backend("ecr")[ACCOUNT][REGION].repositories[self.name].images

    def put(self, text, tag=None, age=0.0):
        """Put a manifest, so many seconds old; return its digest."""
        media = json.loads(text)["mediaType"]
        named = {"imageTag": tag} if tag else {}
        self.client.put_image(repositoryName=self.name, imageManifest=text, imageManifestMediaType=media, **named)
        digest = digest_of(text)
        self.backdate(digest, age)
        return digest

    def push(self, tag, age=0.0):
        """Put an image with a tag."""
        return self.put(manifest(tag), tag, age)

    def backdate(self, digest, age):
        found = next(each for each in self.images if each.get_image_digest() == digest)
        found.image_pushed_at = datetime.now(UTC) - timedelta(seconds=age)

    def left(self):
        """Return the tags that there are, sorted; an untagged image by the beginning of its digest."""
        found = self.client.describe_images(repositoryName=self.name)["imageDetails"]
        return sorted((each.get("imageTags") or [each["imageDigest"][:14]])[0] for each in found)
