"""A Debian repository of our own for lab hosts: small packages made with dpkg-deb, and the indexes that apt asks for."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from opslib.lab import LabHost

__all__ = ["Repository"]

_CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Priority: optional
Section: misc
{more}Description: a package of a test
"""


class Repository:
    """Packages on a host, in a folder that apt reads; `security` makes apt take it for Debian's security archive."""

    def __init__(self, host: LabHost, work: Path, name: str, *, security: bool = False) -> None:
        self.host = host
        self.work = work / name
        self.folder = f"/srv/{name}"
        self.label = "Debian-Security" if security else "Debian"
        self.suite = "stable-security" if security else "stable"
        self.rows: list[str] = []
        self.work.mkdir()
        self.host.write(f"/etc/apt/sources.list.d/{name}.list", f"deb [trusted=yes] file:{self.folder} ./\n")
        self.publish()

    def add(
        self,
        name: str,
        version: str,
        *,
        files: Mapping[str, str] | None = None,
        postinst: str = "",
        conffiles: tuple[str, ...] = (),
        **fields: str,
    ) -> str:
        """Build a package, publish it, and return its path on the host. files: contents by absolute path."""
        tree = self.work / f"{name}_{version}"
        more = "".join(f"{key.capitalize()}: {value}\n" for key, value in fields.items())
        control = _CONTROL.format(name=name, version=version, more=more)
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(control)
        if conffiles:
            (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in conffiles))
        for path, text in {f"/usr/share/{name}/version": version + "\n", **(files or {})}.items():
            target = tree / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(0o755 if text.startswith("#!") else 0o644)
        if postinst:
            (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{postinst}\n")
            (tree / "DEBIAN/postinst").chmod(0o755)
        built = self.work / f"{name}_{version}_all.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(built)]
        subprocess.run(command, check=True, capture_output=True)
        data = built.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        self.rows.append(f"{control}Filename: ./{built.name}\nSize: {len(data)}\nSHA256: {digest}\n\n")
        self.host.write(f"{self.folder}/{built.name}", data)
        self.publish()
        return f"{self.folder}/{built.name}"

    def publish(self) -> None:
        """Write the indexes."""
        packages = "".join(self.rows)
        digest = hashlib.sha256(packages.encode()).hexdigest()
        release = f"Origin: Debian\nLabel: {self.label}\nSuite: {self.suite}\nArchitectures: all amd64 arm64\n"
        release += f"Date: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n {digest} {len(packages)} Packages\n"
        self.host.write(f"{self.folder}/Packages", packages)
        self.host.write(f"{self.folder}/Release", release)
