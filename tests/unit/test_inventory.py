"""Inventories: what Ansible accepts in silence is an error here, and the rest means what it means to Ansible."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opslib.errors import InventoryError, UsageError
from opslib.inventory import Inventory
from opslib.step import Become
from opslib.target import Target

HOSTS = """
[web]
web1 ansible_host=10.0.0.1
web2
canary

[db]
db1 ansible_user=postgres

[prod:children]
web
db
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory, its group_vars and host_vars."""
    monkeypatch.chdir(tmp_path)
    for path, content in {
        "hosts.ini": HOSTS,
        "group_vars/all.yml": "a: all\nb: all\nansible_port: 2222\n",
        "group_vars/web/x.yml": "b: web\nlist: ['{{ a }}', 2, {k: '{{ b }}'}]\nundefined: '{{ nosuch }}'\n",
        "host_vars/web1.yml": "a: web1\nwhen: 2024-01-01\nansible_become: true\nansible_become_user: '{{ a }}'\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def test_hosts_and_groups(folder: Path) -> None:
    inventory = Inventory.load("hosts.ini")
    assert inventory.hosts == ("web1", "web2", "canary", "db1")
    assert inventory.groups["web"] == ("web1", "web2", "canary")
    assert inventory.groups["prod"] == ("web1", "web2", "canary", "db1")
    assert inventory.groups["ungrouped"] == ()
    assert inventory.sources == (str(folder / "hosts.ini"),)
    assert inventory.warnings == ()
    assert "4 hosts" in repr(inventory)


@pytest.mark.parametrize(
    ("pattern", "limit", "names"),
    [
        ("all", None, ("web1", "web2", "canary", "db1")),
        ("*", None, ("web1", "web2", "canary", "db1")),
        ("web:!canary", None, ("web1", "web2")),
        ("web,!canary", None, ("web1", "web2")),
        ("prod:&db", None, ("db1",)),
        ("web[0]", None, ("web1",)),
        ("web[1:]", None, ("web2", "canary")),
        ("~web\\d", None, ("web1", "web2")),
        ("db1,web1", None, ("db1", "web1")),
        ("!web", None, ("db1",)),
        ("all", "web", ("web1", "web2", "canary")),
        ("prod", "!web", ("db1",)),
        ("localhost", None, ("localhost",)),
        ("all", "@names", ("web2",)),
    ],
)
def test_patterns(folder: Path, pattern: str, limit: str | None, names: tuple[str, ...]) -> None:
    (folder / "names").write_text("web2\n")
    inventory = Inventory.load("hosts.ini")
    assert inventory.names(pattern, limit) == names
    assert tuple(target.name for target in inventory.select(pattern, limit)) == names
    assert inventory.names() == ("web1", "web2", "canary", "db1")


@pytest.mark.parametrize(
    ("pattern", "limit", "said"),
    [
        ("wbe", None, "no host matches 'wbe' in .*hosts.ini; did you mean web"),
        ("prdo:&web", None, "did you mean prod"),
        ("web:!web", None, "no host matches 'web:!web'"),
        ("web", "db", "no host matches 'web' with limit 'db'"),
        ("web[9]", None, "No hosts matched the subscripted pattern"),
        ("~(", None, "Invalid host list pattern"),
        ("all", "~(", "limit '~\\('.*Invalid host list pattern"),
        ("all", "@nosuch", "Unable to find limit file"),
        ("all", "@/", "must be a file"),
        ("", None, "is empty"),
        (" ", None, "is empty"),
        ("a\nb", None, "control characters"),
        ("a\0", None, "control characters"),
        ("\udcff", None, "control characters"),
        ("x" * 70000, None, "too long"),
        (None, None, "is empty"),
        (["web"], None, "is empty"),
        ("all", "", "is empty"),
        ("all", 5, "is empty"),
        ("-oProxyCommand=x", None, "no host matches"),
        ("$(id)", None, "no host matches"),
        ("../x", None, "no host matches"),
    ],
)
def test_wrong_patterns(folder: Path, pattern: Any, limit: Any, said: str) -> None:
    inventory = Inventory.load("hosts.ini")
    with pytest.raises(InventoryError, match=said) as caught:
        inventory.select(pattern, limit)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert len(inventory.names()) == 4


def test_a_part_of_a_pattern_that_matches_nothing_is_a_warning(folder: Path) -> None:
    inventory = Inventory.load("hosts.ini")
    assert inventory.names("web1,nosuch") == ("web1",)
    assert inventory.warnings == ("Could not match supplied host pattern, ignoring: nosuch",)


def test_targets(folder: Path) -> None:
    inventory = Inventory.load("hosts.ini")
    assert inventory.target("web1") == Target(name="web1", address="10.0.0.1", port=2222, become=Become(user="web1"))
    assert inventory.target("db1") == Target(name="db1", port=2222, user="postgres")
    assert inventory.target("web1") is inventory.target("web1")


def test_localhost_need_not_be_listed(folder: Path) -> None:
    target = Inventory.load("hosts.ini").target("localhost")
    assert (target.carrier, target.interpreter) == ("local", sys.executable)


@pytest.mark.parametrize("name", ["wbe1", "", "a\nb", None, 5, "all"])
def test_unknown_hosts(folder: Path, name: Any) -> None:
    inventory = Inventory.load("hosts.ini")
    with pytest.raises(InventoryError, match="no host matches"):
        inventory.target(name)
    with pytest.raises(InventoryError, match="no host matches"):
        inventory.variables(name)


def test_variables_are_plain_and_worked_out(folder: Path) -> None:
    found = Inventory.load("hosts.ini").variables("web1")
    assert (found["a"], found["b"], found["ansible_port"]) == ("web1", "web", 2222)
    assert found["list"] == ["web1", 2, {"k": "web"}]
    assert found["undefined"] == "{{ nosuch }}"
    assert found["when"] == "2024-01-01"
    assert found["group_names"] == ["prod", "web"]
    json.dumps(found)

    def kinds(value: Any) -> set[type]:
        if isinstance(value, dict):
            return {type(value)}.union(*(kinds(item) for pair in value.items() for item in pair))
        if isinstance(value, list):
            return {type(value)}.union(*map(kinds, value))
        return {type(value)}

    assert kinds(found) <= {dict, list, str, int, float, bool, type(None)}


@pytest.mark.parametrize(
    "extra",
    [{"ansible_port": 22, "a": "x"}, ["ansible_port=22", "a=x"], ["@extra.yml"], ['{"ansible_port": 22, "a": "x"}']],
)  # fmt: skip
def test_extra_variables_win(folder: Path, extra: Any) -> None:
    (folder / "extra.yml").write_text("ansible_port: 22\na: x\n")
    inventory = Inventory.load("hosts.ini", extra_vars=extra)
    target = inventory.target("web1")
    assert (target.port, target.become) == (22, Become(user="x"))
    assert inventory.variables("web2")["list"][0] == "x"
    assert Inventory.load("hosts.ini").target("web1").port == 2222


def test_several_sources_and_folders(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "a.yml").write_text("all: {hosts: {extra1: {x: 1}}}\n")
    (folder / "more" / "b.ini").write_text("extra2\n")
    assert Inventory.load("more").hosts == ("extra1", "extra2")
    assert Inventory.load([folder / "hosts.ini", "more/b.ini"]).hosts[-1] == "extra2"
    assert Inventory.load("one,two").hosts == ("one", "two")
    assert Inventory.load("one,").hosts == ("one",)


def test_a_program_is_run(folder: Path) -> None:
    script = folder / "dynamic"
    data = {"web": {"hosts": ["s1"]}, "_meta": {"hostvars": {"s1": {"ansible_host": "10.0.0.9"}}}}
    script.write_text(f"#!{sys.executable}\nprint('''{json.dumps(data)}''')\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    assert Inventory.load("dynamic").target("s1").address == "10.0.0.9"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.yml", "all: [a\n", r"bad\.yml cannot be parsed: YAML parsing failed.*bad\.yml:2:1"),
        ("bad.yml", "- a\n- b\n", r"bad\.yml cannot be parsed"),
        ("bad.ini", "[web\nfoo\n", r"bad\.ini cannot be parsed"),
        ("bad.ini", "[web:foo]\nx\n", r"bad\.ini cannot be parsed.*unknown type: foo"),
        ("bad.ini", 'a b="c\n', r"bad\.ini cannot be parsed"),
        ("empty.ini", "", r"empty\.ini holds no host"),
        ("groups.ini", "[web]\n[db]\n", r"groups\.ini holds no host"),
        ("bad.ini", "-oProxyCommand=x\n", "'-oProxyCommand=x' is no host name"),
        ("bad.yml", '{"all": {"hosts": {"a\\u001bb": null}}}', r"'a\\x1bb' is no host name"),
        ("bad.yml", '{"all": {"hosts": {"a b": null}}}', "'a b' is no host name"),
    ],
)
def test_sources_that_are_wrong(folder: Path, name: str, content: str, said: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(InventoryError, match=said) as caught:
        Inventory.load(name)
    assert "\n" not in str(caught.value)


def test_one_wrong_file_in_a_folder_is_an_error(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "a.ini").write_text("good\n")
    (folder / "more" / "b.yml").write_text("all: [\n")
    with pytest.raises(InventoryError, match=r"more/b\.yml cannot be parsed"):
        Inventory.load("more")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nosuch", "there is no inventory 'nosuch'; give a file, a folder or a list of hosts"),
        ("-oProxyCommand=x", "there is no inventory"),
        ("../nosuch", "there is no inventory"),
        ("$(id)", "there is no inventory"),
        ("", "is no path"),
        (" ", "is no path"),
        ("a\nb", "is no path"),
        ("a\0b", "is no path"),
        ("\udcff", "is no path"),
        ("\x1b[31m", "is no path"),
        (None, "is no path"),
        (5, "is no path"),
        (b"hosts.ini", "is no path"),
        ([], "no inventory was given"),
        (["hosts.ini", None], "is no path"),
        ("/dev/null", "is neither a file nor a folder"),
        ("a,-b", "'-b' is no host name"),
        ("x" * 5000, "there is no inventory"),
    ],
)
def test_sources_that_are_none(folder: Path, source: Any, said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        Inventory.load(source)


def test_an_empty_folder(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InventoryError, match="empty holds no inventory file"):
        Inventory.load("empty")


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.R_OK)
    with pytest.raises(InventoryError, match="cannot be read by this user"):
        Inventory.load("hosts.ini")


def test_a_file_of_variables_that_is_wrong_is_named(folder: Path) -> None:
    (folder / "group_vars" / "web" / "x.yml").write_text("a: [\n")
    inventory = Inventory.load("hosts.ini")
    with pytest.raises(InventoryError, match=r"host web1: YAML parsing failed.*x\.yml:2:1"):
        inventory.target("web1")
    assert inventory.target("db1").user == "postgres"


def test_a_connection_variable_that_is_wrong_names_host_and_variable(folder: Path) -> None:
    (folder / "host_vars" / "web1.yml").write_text("ansible_user: '{{ nosuch }}'\n")
    with pytest.raises(InventoryError, match=r"host web1: ansible_user: 'nosuch' is undefined .*web1\.yml:1"):
        Inventory.load("hosts.ini").target("web1")
    (folder / "host_vars" / "web1.yml").write_text("ansible_connection: docker\n")
    with pytest.raises(InventoryError, match="host web1: ansible_connection: 'docker' is not carried"):
        Inventory.load("hosts.ini").target("web1")


def test_files_are_read_as_they_are_now(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A program that loads inventories again and again; and one that changes its working directory."""
    assert "late" not in Inventory.load("hosts.ini").variables("web1")
    (folder / "group_vars" / "web" / "late.yml").write_text("late: 1\n")
    assert Inventory.load("hosts.ini").variables("web1")["late"] == 1
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "hosts.ini").write_text("[web]\nweb1\n")
    os.chdir(elsewhere)
    assert "late" not in Inventory.load("hosts.ini").variables("web1")


PASSWORD = "canary-vault-password"


def vaulted(text: str) -> str:
    from ansible.parsing.vault import VaultLib, VaultSecret

    secret = VaultSecret(PASSWORD.encode())
    made: str = VaultLib([("default", secret)]).encrypt(text.encode(), secret, salt="s" * 32).decode()
    return made


@pytest.fixture
def vault(folder: Path) -> Path:
    """An inventory with an encrypted value and an encrypted file."""
    value = "".join(f"  {line}\n" for line in vaulted("canary-value").splitlines())
    (folder / "group_vars" / "web" / "v.yml").write_text(
        f"token: !vault |\n{value}ansible_password: '{{{{ token }}}}'\n"
    )
    (folder / "group_vars" / "web" / "w.yml").write_text(
        vaulted("filed: canary-filed\nports: [8080, 123456789]\nflag: true\nopslib_secrets: [plain_one]\n")
    )
    (folder / "host_vars" / "web1.yml").write_text("plain_one: {x: [canary-marked, 7]}\n")
    (folder / "password").write_text(PASSWORD + "\n")
    return folder


@pytest.mark.parametrize(
    "given",
    [
        {"vault_password": PASSWORD},
        {"vault_password": lambda: PASSWORD},
        {"vault_password_files": ["password"]},
        {"vault_password_files": [Path("password")]},
        {"vault_password_files": ["label@password"]},
    ],
)
def test_vaults(vault: Path, given: dict[str, Any]) -> None:
    inventory = Inventory.load("hosts.ini", **given)
    target = inventory.target("web1")
    assert target.password == "canary-value"
    assert {"canary-value", "canary-filed", "canary-marked", "123456789"} <= target.secrets
    assert not {"8080", "True", "true"} & target.secrets
    assert {"canary-value", "canary-filed"} <= inventory.secrets
    assert inventory.variables("web1")["filed"] == "canary-filed"
    assert "canary" not in repr(target) + repr(inventory)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no vault secrets found: give the file that holds the vault password"),
        ({"vault_password": "wrong"}, "could decrypt.*: give the file"),
        ({"vault_password": ""}, "the vault password is empty"),
        ({"vault_password_files": ["nosuch"]}, "vault password file .*nosuch"),
        ({"vault_password_files": ["x@prompt"]}, "asks at a terminal"),
        ({"vault_password_files": ["prompt"]}, "asks at a terminal"),
        ({"vault_password_files": ["a\nb"]}, "vault password file .* is no path"),
        ({"vault_password_files": [None]}, "vault password file None is no path"),
    ],
)
def test_vaults_without_the_right_password(vault: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Inventory.load("hosts.ini", **given).target("web1")
    assert PASSWORD not in str(caught.value)


def test_an_error_does_not_tell_a_secret(vault: Path) -> None:
    (vault / "host_vars" / "web1.yml").write_text("ansible_port: '{{ token }}'\n")
    with pytest.raises(InventoryError, match=r"ansible_port: '\*\*\*' is no port") as caught:
        Inventory.load("hosts.ini", vault_password=PASSWORD).target("web1")
    assert caught.value.__cause__ is None


def test_opslib_secrets_must_be_a_list_of_names(folder: Path) -> None:
    (folder / "host_vars" / "web1.yml").write_text("opslib_secrets: 5\n")
    with pytest.raises(InventoryError, match="host web1: opslib_secrets: a list of names"):
        Inventory.load("hosts.ini").target("web1")


def test_the_configuration_is_honoured(folder: Path) -> None:
    (folder / "ansible.cfg").write_text(
        "[defaults]\nremote_user = cfg\nprivate_key_file = /key\n"
        "[privilege_escalation]\nbecome = true\nbecome_user = amy\n"
    )
    program = "import opslib; print(opslib.Inventory.load('hosts.ini').target('web2'))"
    env = {**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    for words in ("user='cfg'", "identity_files=('/key',)", "become=Become(user='amy'"):
        assert words in done.stdout


def test_importing_inventory_loads_nothing_of_ansible() -> None:
    program = (
        "import sys, opslib.inventory; print([m for m in sys.modules if m.split('.')[0] in ('ansible', 'jinja2')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
