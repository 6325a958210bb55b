"""What must be true of a host after a breach was contained; read by testinfra, not by opslib."""

import hashlib
import ipaddress
import json

# Prints the SHA-256 of each variable as systemd reads it from a file: the values never leave the host.
DIGESTS = """
import hashlib, json, os, subprocess, sys
command = ["systemd-run", "--quiet", "--pipe", "--wait", "-p", "User=nobody", "-p", "EnvironmentFile=" + sys.argv[1]]
read = subprocess.run([*command, "/usr/bin/env", "-0"], stdout=subprocess.PIPE, check=True).stdout
rows = [row.split(b"=", 1) for row in read.split(b"\\0") if b"=" in row]
print(json.dumps({os.fsdecode(name): hashlib.sha256(value).hexdigest() for name, value in rows}))
"""
RECORD = "/var/lib/opslib/rotated.json"


def test_addresses_are_blocked(host, variables, as_root):
    """Every address is in the set whose packets are dropped."""
    for address in variables["emergency_block"]:
        version = ipaddress.ip_network(address).version
        one = host.run("nft get element inet opslib %s %s", f"blocked{version}", f"{{ {address} }}")
        assert one.rc == 0, f"{address} is not blocked: {one.stderr}"
        kind = "ip" if version == 4 else "ip6"
        chain = host.check_output("nft list chain inet opslib blocked")
        assert f"{kind} saddr @blocked{version} counter" in chain, "the rule that drops is missing"


def test_secret_files_are_private(host, variables, as_root):
    """Nobody else can read the files with the secrets."""
    for row in variables["emergency_secrets"]:
        mode = host.file(row["path"]).mode
        assert not mode & 0o007, f"{row['path']} has mode {mode:o}"


def test_secrets_are_new(host, variables, as_root):
    """Every secret is the value that was given, or the one that the host made up last, and none of before is left."""
    now = float(host.check_output("date +%s"))
    for row in variables["emergency_secrets"]:
        path, given = row["path"], row.get("set") or {}
        have = json.loads(host.check_output("python3 -c %s %s", DIGESTS, path))
        wanted = {name: hashlib.sha256(str(value).encode()).hexdigest() for name, value in given.items()}
        for name in row.get("rotate") or []:
            if name not in given:
                assert host.file(RECORD).exists, f"{name} in {path} was never rotated: there is no {RECORD}"
                made = json.loads(host.file(RECORD).content_string).get(path, {}).get(name)
                assert made, f"{name} in {path} was never rotated"
                assert made["at"] <= now + 60, f"the rotation of {name} in {path} is dated in the future"
                wanted[name] = made["sha256"]
        other = [name for name, digest in wanted.items() if have.get(name) != digest]
        assert not other, f"{path} holds another value of {', '.join(other)} than it was given"
        gone = list(row.get("unset") or [])
        if "emergency_keep_previous" not in variables:
            gone += [f"{name}_PREVIOUS" for name in row.get("rotate") or []]
        left = [name for name in gone if host.run("grep -qE %s %s", f"^[[:blank:]]*{name}[[:blank:]]*=", path).rc == 0]
        assert not left, f"{path} still holds {', '.join(left)}"


def test_services_run_with_the_new_secrets(host, variables, as_root):
    """Every service started after the last change of every file with secrets."""
    for row in variables.get("emergency_units", []):
        assert host.run("systemctl is-active -- %s", row["unit"]).stdout.strip() == "active", f"{row['unit']} is down"
        pid = host.check_output("systemctl show --value --property=MainPID -- %s", row["unit"])
        began = float(host.check_output("date +%s")) - float(host.check_output("ps -o etimes= -p %s", pid))
        for file in variables["emergency_secrets"]:
            changed = float(host.check_output("stat -c %%Y %s", file["path"]))
            assert began >= changed - 2, f"{row['unit']} runs since before {file['path']} changed"


def test_revoked_keys_open_nothing(host, variables, as_root):
    """No account's file of keys holds one of them."""
    names = "getent passwd | cut -d: -f6 | sort -u | sed -n 's,$,/.ssh/authorized_keys,p; s,$,2,p'"
    for path in host.run(f"{names} | xargs -d '\\n' ls").stdout.splitlines():
        known = host.run("ssh-keygen -lf %s || true", path).stdout
        for fingerprint in variables["emergency_revoke_keys"]:
            assert fingerprint not in known, f"{path} still has {fingerprint}"


def test_revoked_accounts_are_locked(host, variables, as_root):
    """The passwords of those that this host has match nothing, they are expired, and nothing runs as them."""
    for user in variables["emergency_revoke_users"]:
        if host.run("getent passwd %s", user).rc:
            continue  # of whom this host does not know, it has nothing to lock
        fields = host.check_output("getent shadow %s", user).split(":")
        assert fields[1].startswith(("!", "*")), f"{user} still has a password"
        assert fields[7] == "1", f"{user} is not expired"
        assert host.run("pgrep -u %s", user).rc == 1, f"something runs as {user}"
