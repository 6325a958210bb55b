"""What must be true of a host after a security review; read by testinfra, not by opslib."""

import fnmatch
import ipaddress
import time

from cryptography import x509

FOLDERS = ["/etc", "/usr/local", "/opt", "/srv", "/root", "/home", "/var/www", "/var/spool/cron"]
SECRETS = (
    *(".env", "*.env", ".env.*", "*.key", "*.pfx", "*.p12", ".pgpass"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
)
CERTIFICATES = ["/etc/letsencrypt/live/*/cert.pem", "/etc/nginx/ssl/*", "/etc/apache2/ssl/*", "/etc/ssl/local/*"]

# Only certificates leave the host: what stands beside them may be a key.
IN_FILES = """
import glob, ssl, sys
for pattern in sys.argv[1:]:
    for path in glob.glob(pattern):
        try:
            data = open(path, "rb").read(1 << 20)
        except IsADirectoryError:
            continue
        if data[:1] == b"0":
            try:
                ssl.create_default_context().load_verify_locations(cadata=data)
            except ssl.SSLError:
                continue
            print("@" + path, ssl.DER_cert_to_PEM_cert(data), sep="\\n", end="")
        for part in data.decode("ascii", "replace").split("-----BEGIN CERTIFICATE-----")[1:]:
            print("@" + path, "-----BEGIN CERTIFICATE-----" + part.split("-----END ")[0], sep="\\n", end="")
            print("-----END CERTIFICATE-----")
"""
BEHIND_PORT = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as raw:
    with context.wrap_socket(raw, server_hostname=sys.argv[1]) as wrapped:
        print("@" + ":".join(sys.argv[1:]) + "\\n" + ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(True)))
"""


def listening(host, protocol):
    """Return the addresses that each port is listened on, as ss says."""
    found = {}
    for row in host.check_output(f"ss --no-header --listening --numeric --{protocol}").splitlines():
        address, _, port = row.split()[3].rpartition(":")
        found.setdefault(f"{port}/{protocol}", []).append(address.strip("[]").partition("%")[0])
    return found


def names(ports):
    """Return ports with their protocol, TCP unless they say otherwise."""
    return {str(port) if "/" in str(port) else f"{port}/tcp" for port in ports}


def for_others(address):
    """Whether an address is reached from elsewhere."""
    return address in ("*", "") or not ipaddress.ip_address(address).is_loopback


def test_ports(host, variables):
    """Ports that must be open are; others are open to this host alone, where a list of ports is given."""
    expected, only = names(variables["maintenance_ports_expected"]), variables.get("maintenance_ports_only")
    named = expected | names(only or ())
    protocols = ["tcp", "udp"] if any(name.endswith("/udp") for name in named) else ["tcp"]
    found = {port: addresses for protocol in protocols for port, addresses in listening(host, protocol).items()}
    missing = expected - set(found)
    assert not missing, f"nothing listens on port {', '.join(sorted(missing))}"
    if only is not None:
        for port in set(found) - named:
            outside = [address for address in found[port] if for_others(address)]
            assert not outside, f"port {port.removesuffix('/tcp')} is open on {', '.join(outside)}"


def loose(host, variables, test):
    """Return what find comes upon in the folders that others can enter, but for what may be so."""
    folders = variables.get("maintenance_loose_folders") or FOLDERS
    words = " ".join("%s" for _ in folders)
    done = host.run(f"find {words} -xdev -type d -not -perm -0001 -prune -o {test} -print", *folders)
    assert done.rc in (0, 1), done.stderr  # 1: a folder is not there
    ignored = variables["maintenance_loose_ignore"]
    return [path for path in done.stdout.splitlines() if not any(fnmatch.fnmatchcase(path, one) for one in ignored)]


def test_nobody_else_can_write(host, variables, as_root):
    """Nothing that others can get at can be written to by anybody, where that is a failure."""
    if variables["maintenance_security_strict"]:
        left = loose(host, variables, "-not -type l -not -type s -not '(' -type d -perm -1000 ')' -perm -0002")
        assert not left, f"anybody can write to {', '.join(left[:10])}"


def test_nobody_else_can_read_secrets(host, variables, as_root):
    """Nothing that others can get at, and that goes by the name of a secret, can be read by anybody, likewise."""
    if variables["maintenance_security_strict"]:
        named = " -o ".join(f"-name '{name}'" for name in SECRETS)
        left = loose(host, variables, f"-type f -perm -0004 '(' {named} ')'")
        assert not left, f"anybody can read {', '.join(left[:10])}"


def test_certificates(host, variables, seconds, as_root):
    """No certificate in a file or behind a port is invalid yet, or expires before the limit."""
    files = variables.get("maintenance_certificate_files") or CERTIFICATES
    said = host.check_output("python3 -c %s " + " ".join("%s" for _ in files), IN_FILES, *files)
    for endpoint in variables["maintenance_certificate_endpoints"]:
        name, _, port = str(endpoint).rpartition(":")
        said += "\n" + host.check_output("python3 -c %s %s %s", BEHIND_PORT, name.strip("[]") or "127.0.0.1", port)
    for named in (file for file in files if not set("*?[") & set(file)):
        assert f"@{named}\n" in said, f"{named} is missing, or holds no certificate"
    now, least = time.time(), seconds("maintenance_certificate_fail")
    for part in said.split("@")[1:]:
        where, _, pem = part.partition("\n")
        one = x509.load_pem_x509_certificate(pem.encode())
        assert one.not_valid_before_utc.timestamp() <= now, f"{where} is not valid before {one.not_valid_before_utc}"
        assert one.not_valid_after_utc.timestamp() > now + least, f"{where} expires on {one.not_valid_after_utc}"


def test_security_fixes_are_installed(variables, upgradable):
    """Fewer packages lack a security fix than the limit, as apt lists them."""
    most = variables.get("maintenance_security_fail")
    if variables["maintenance_os_packages"] and most is not None:
        left = [row.partition("/")[0] for row in upgradable() if "security" in row.split()[0]]
        assert len(left) < int(most), f"{len(left)} packages lack a security fix: {', '.join(left[:10])}"
