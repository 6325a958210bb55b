"""What must be true of a host after a security review; read by testinfra, not by opslib."""

FOLDERS = ["/etc", "/usr/local", "/root"]


def test_ports(host, variables):
    """Ports that must be open are; others are open to this host alone, where a list of ports is given."""
    for port in variables["maintenance_ports_expected"]:
        number, _, protocol = str(port).partition("/")
        kind = "--udp" if protocol == "udp" else "--tcp"
        found = host.check_output(f"ss --no-header --listening --numeric {kind} %s", f"sport = :{number}")
        assert found, f"nothing listens on port {port}"
    if "maintenance_ports_only" not in variables:
        return
    allowed = {str(port).partition("/")[0] for port in variables["maintenance_ports_only"]}
    allowed |= {str(port).partition("/")[0] for port in variables["maintenance_ports_expected"]}
    for row in host.check_output("ss --no-header --listening --numeric --tcp").splitlines():
        address, _, port = row.split()[3].rpartition(":")
        if not address.strip("[]").startswith(("127.", "::1")):
            assert port in allowed, f"port {port} is open on {address}"


def test_nobody_else_can_write(host, variables, as_root):
    """No file in the system's own folders can be written to by anybody."""
    if not variables["maintenance_security_strict"]:
        return
    for folder in FOLDERS:
        found = host.check_output("find %s -xdev -not -type l -not -type s -perm -0002 -not -perm -1000", folder)
        left = [path for path in found.splitlines() if path not in variables["maintenance_loose_ignore"]]
        assert not left, f"anybody can write to {', '.join(left[:10])}"


def test_certificates(host, variables, as_root):
    """No certificate that is named expires before the limit, as openssl counts."""
    limit = str(variables["maintenance_certificate_fail"])
    seconds = int(float(limit[:-1]) * 86400) if limit.endswith("d") else int(float(limit))
    for path in variables.get("maintenance_certificate_files", []):
        if any(sign in path for sign in "*?[") or not host.exists("openssl"):
            continue
        said = host.run("openssl x509 -noout -checkend %s -in %s", str(seconds), path)
        assert said.rc == 0, f"{path} expires within {limit}"
