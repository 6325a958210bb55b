"""What a registry holds, asked of itself: an image's digest, its configuration, its labels. Reads only.

Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md,
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.http import Answer, Http
from opslib.cloud.images.names import Address, is_digest
from opslib.cloud.patience import Patience

__all__ = ["Login", "Registry", "Remote"]

_SINGLE = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
_SEVERAL = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_HUB = ("docker.io", "index.docker.io")
_PAIR = re.compile(r'([a-zA-Z_]+)="([^"]*)"')
_MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Login:
    """What a registry wants to know."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of the header that carries it."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Remote:
    """An image at a registry. configs: digests of its configurations, one for each platform; labels: of the first."""

    digest: str
    configs: tuple[str, ...]
    labels: Mapping[str, str]
    size: int


class Registry(Http):
    """One repository at a registry.

    login: is only sent where the registry, over a connection that nobody can listen to, asks for it; plain: speak HTTP.
    """

    def __init__(self, address: Address, login: Login | None, patience: Patience, *, plain: bool) -> None:
        host = "registry-1.docker.io" if address.host in _HUB else address.host
        super().__init__(
            f"registry {address.host}", f"{'http' if plain else 'https'}://{host}", patience, extra="docker"
        )
        self._repository = address
        self._login = login
        self._plain = plain
        self._authorization = ""

    def find(self, reference: str) -> Remote | None:
        """Return the image with a tag or digest, None when there is none. Raises what reading raises."""
        found = self._manifest(reference)
        if found is None:
            return None
        digest, kind, document = found
        if kind in _SINGLE:
            config, size = self._single(document)
            return Remote(digest, (config,), self._labels(config), size)
        configs, total = [], 0
        for part in self._parts(document):
            below = self._manifest(part)
            if below is None or below[1] not in _SINGLE:
                raise MalformedError(
                    f"{self._name}: the index {digest[:19]} names {part[:19]}, which is no image there"
                )
            config, size = self._single(below[2])
            configs.append(config)
            total += size
        return Remote(digest, tuple(configs), self._labels(configs[0]) if configs else {}, total)

    def _manifest(self, reference: str) -> tuple[str, str, dict[str, Any]] | None:
        """Return digest, kind and content of a manifest, the digest as computed from its bytes."""
        path = f"/v2/{self._repository.name}/manifests/{reference}"
        try:
            answer = self.get(path, headers={"Accept": ", ".join((*_SINGLE, *_SEVERAL))})
        except RefusedError as error:
            if error.status == 404:
                return None
            raise
        digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        told = answer.headers.get("docker-content-digest", digest)
        if digest != told or (is_digest(reference) and digest != reference):
            raise MalformedError(f"{self._name}: the manifest of {reference[:80]} is not the one that its digest is of")
        document = answer.json()
        kind = document.get("mediaType") if isinstance(document, dict) else None
        kind = kind or answer.headers.get("content-type", "").partition(";")[0]
        if kind not in (*_SINGLE, *_SEVERAL) or not isinstance(document, dict):
            raise MalformedError(f"{self._name}: the manifest of {reference[:80]} is of a kind that is not known")
        return digest, kind, document

    def _single(self, document: Mapping[str, Any]) -> tuple[str, int]:
        """Return the digest of an image's configuration, and its size with all its layers."""
        config, layers = document.get("config"), document.get("layers")
        if not isinstance(config, dict) or not is_digest(config.get("digest")) or not isinstance(layers, list):
            raise MalformedError(f"{self._name}: a manifest has no configuration or no layers")
        sizes = [layer.get("size") for layer in layers if isinstance(layer, dict)]
        whole = [size for size in sizes if isinstance(size, int)]
        if len(whole) != len(layers):
            raise MalformedError(f"{self._name}: a manifest's layer has no size")
        return config["digest"], sum(whole)

    def _parts(self, document: Mapping[str, Any]) -> list[str]:
        """Return the digests of an index's images, without what is attached to them."""
        parts = document.get("manifests")
        if not isinstance(parts, list) or len(parts) > _MOST_PARTS or not all(isinstance(part, dict) for part in parts):
            raise MalformedError(f"{self._name}: an index has no sensible list of manifests")
        platforms = [part.get("platform") or {} for part in parts]
        found = [
            part.get("digest")
            for part, platform in zip(parts, platforms, strict=True)
            if not isinstance(platform, dict) or platform.get("os") != "unknown"
        ]
        digests = [digest for digest in found if isinstance(digest, str) and is_digest(digest)]
        if len(digests) != len(found):
            raise MalformedError(f"{self._name}: an index names what is no digest")
        return digests

    def _labels(self, config: str) -> dict[str, str]:
        document = self._blob(config)
        inner = document.get("config") or {}
        labels = (inner.get("Labels") if isinstance(inner, dict) else None) or {}
        if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
            raise MalformedError(f"{self._name}: the configuration {config[:19]} makes no sense")
        return labels

    def _blob(self, digest: str) -> dict[str, Any]:
        """Return a configuration; registries may keep such things elsewhere, where the login is not sent."""
        path = f"/v2/{self._repository.name}/blobs/{digest}"

        def ask() -> Answer:
            answer = self.exchange("GET", path)
            if answer.status in (301, 302, 303, 307, 308):
                place = self._place(answer.headers.get("location", ""))
                store = Http(
                    f"{self._name}'s store", f"{place.scheme}://{place.netloc}", self._patience, extra="docker"
                )
                return store.once("GET", place.path + (f"?{place.query}" if place.query else ""))
            if answer.status != 200:
                raise self._error(f"GET {path}", answer)
            return answer

        answer = self._patience.read(ask, doing=f"{self._name}: GET {path}")
        if "sha256:" + hashlib.sha256(answer.body).hexdigest() != digest:
            raise MalformedError(f"{self._name}: the configuration {digest[:19]} is not the one that its digest is of")
        document = answer.json()
        if not isinstance(document, dict):
            raise MalformedError(f"{self._name}: the configuration {digest[:19]} makes no sense")
        return document

    def _place(self, text: str) -> Any:
        """Return another server's address that the registry named. Raises MalformedError unless it is as safe."""
        place = urlsplit(text)
        if place.scheme != "https" and not (self._plain and place.scheme == "http"):
            raise MalformedError(f"{self._name}: it sends us to a server that is not safe: {text[:100]!a}")
        return place

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; when the registry wants a login, once more with it. See Http."""
        for _try in range(2):
            signed = {**(headers or {}), **({"Authorization": self._authorization} if self._authorization else {})}
            answer = super().exchange(method, path, json=json, params=params, headers=signed)
            if answer.status != 401:
                break
            self._authorization = self._authorize(answer.headers.get("www-authenticate", ""))
            if not self._authorization:
                break
        return answer

    def _authorize(self, challenge: str) -> str:
        """Return what answers a registry's challenge, "" when there is no login that could."""
        scheme, _space, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return self._login.basic if self._login is not None else ""
        pairs = dict(_PAIR.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in pairs:
            return ""
        place = self._place(pairs["realm"])
        service = Http(f"{self._name}'s tokens", f"{place.scheme}://{place.netloc}", self._patience, extra="docker")
        asked = {key: pairs[key] for key in ("service", "scope") if key in pairs}
        signed = {"Authorization": self._login.basic} if self._login is not None else {}
        found = service.once("GET", place.path, params=asked, headers=signed).json()
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise MalformedError(f"{self._name}: the answer to a request for a token holds none")
        return f"Bearer {token}"
