"""What makes a plain Debian tree a lab image: users, a quick sshd, nothing that slows the boot.

Everything here is part of the image's key, so a change makes a new image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .command import call

__all__ = ["PACKAGES", "USERS", "customise", "fingerprint"]

PACKAGES = (
    "dbus",
    "iproute2",
    "logrotate",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)

USERS = ("ops", "pat", "nosudo")
"""Users beside root: sudo without a password, sudo with one, and none."""

MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "logrotate.timer",
    "sys-fs-fuse-connections.mount",
    "systemd-ask-password-wall.path",
    "systemd-firstboot.service",
    "systemd-pstore.service",
    "systemd-remount-fs.service",
    "systemd-update-utmp-runlevel.service",
)
"""Units that a disposable host can do without; the rest of a Debian boot is as on any server."""

FILES: Mapping[str, tuple[int, str]] = {
    "etc/ssh/sshd_config.d/opslib-lab.conf": (
        0o644,
        """HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
MaxStartups 200:30:400
MaxSessions 100
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintLastLog no
PrintMotd no
""",
    ),
    "etc/sudoers.d/opslib-lab": (0o440, "ops ALL=(ALL:ALL) NOPASSWD: ALL\npat ALL=(ALL:ALL) ALL\n"),
    "etc/default/locale": (0o644, "LANG=C.UTF-8\n"),
    "etc/resolv.conf": (0o644, "# No name server: a lab has no way out.\n"),
    "etc/machine-id": (0o444, ""),
}

REMOVED = (
    "etc/hostname",
    "etc/ssh/ssh_host_ecdsa_key",
    "etc/ssh/ssh_host_ecdsa_key.pub",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssh/ssh_host_rsa_key.pub",
    "etc/update-motd.d/10-uname",
    # Started on demand instead, by D-Bus: it takes a fifth of the boot.
    "lib/systemd/system/multi-user.target.wants/systemd-logind.service",
)

DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)


def customise(root: Path) -> None:
    """Turn the Debian tree below `root` into a lab image."""
    for user in USERS:
        # "*" is a password that never matches; "!" would lock the account, which sshd may refuse.
        call(["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", user])
    for name in REMOVED:
        (root / name).unlink(missing_ok=True)
    for name, (mode, text) in FILES.items():
        path = root / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    _without_motd(root / "etc/pam.d/sshd")
    # Newer than /usr: systemd then skips what it does once after an update (systemd.unit(5), ConditionNeedsUpdate).
    call(["touch", str(root / "usr")])
    for name in ("etc/.updated", "var/.updated"):
        call(["touch", "-r", str(root / "usr"), str(root / name)])


def fingerprint(suite: str, packages: Sequence[str]) -> str:
    """Return a text that differs whenever the image would."""
    content = (suite, sorted({*PACKAGES, *packages}), USERS, MASKED, FILES, REMOVED, DPKG_OPTIONS, "motd", 1)
    return json.dumps(content, sort_keys=True)


def _without_motd(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "pam_motd" not in line and "pam_mail" not in line))
