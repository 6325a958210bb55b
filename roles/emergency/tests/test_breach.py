"""What must be true of a host after a breach was contained; read by testinfra, not by opslib."""

import ipaddress


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


def test_services_run_with_the_new_secrets(host, variables, as_root):
    """Every service started after the last change of every file with secrets."""
    for row in variables.get("emergency_units", []):
        assert host.run("systemctl is-active -- %s", row["unit"]).stdout.strip() == "active", f"{row['unit']} is down"
        pid = host.check_output("systemctl show --value --property=MainPID -- %s", row["unit"])
        began = float(host.check_output("stat -c %%Y /proc/%s", pid))
        for file in variables["emergency_secrets"]:
            changed = float(host.check_output("stat -c %%Y %s", file["path"]))
            assert began >= changed - 1, f"{row['unit']} runs since before {file['path']} changed"


def test_revoked_keys_open_nothing(host, variables, as_root):
    """No account's file of keys holds one of them."""
    names = "getent passwd | cut -d: -f6 | sort -u | sed -n 's,$,/.ssh/authorized_keys,p; s,$,2,p'"
    for path in host.run(f"{names} | xargs -d '\\n' ls").stdout.splitlines():
        known = host.run("ssh-keygen -lf %s || true", path).stdout
        for fingerprint in variables["emergency_revoke_keys"]:
            assert fingerprint not in known, f"{path} still has {fingerprint}"


def test_revoked_accounts_are_locked(host, variables, as_root):
    """Their passwords match nothing, they are expired, and nothing runs as them."""
    for user in variables["emergency_revoke_users"]:
        fields = host.check_output("getent shadow %s", user).split(":")
        assert fields[1].startswith(("!", "*")), f"{user} still has a password"
        assert fields[7] == "1", f"{user} is not expired"
        assert host.run("pgrep -u %s", user).rc == 1, f"something runs as {user}"
