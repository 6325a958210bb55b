"""What must be true of a host after its quarterly maintenance; read by testinfra, not by opslib."""

ALSO = ("monthly",)


def test_programs_are_as_they_were_installed(host, variables, as_root):
    """No program that sudo and ssh rest on differs from what its package brought; a sample, for dpkg takes long."""
    if not variables["maintenance_file_audit"] or not host.exists("dpkg"):
        return
    for package in ("sudo", "openssh-server", "login", "passwd"):
        if host.run("dpkg-query -W %s", package).rc == 0:
            rows = host.run("dpkg --verify %s", package).stdout.splitlines()
            changed = [row for row in rows if "bin/" in row and " c " not in row]
            assert not changed, f"{package} is not as it was installed: {'; '.join(changed)}"
