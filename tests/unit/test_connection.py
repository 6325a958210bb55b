"""Connection variables of Ansible, and the targets that they describe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.connection import NotCarriedError, become_from_vars, check_name, target_from_vars
from opslib.errors import InventoryError
from opslib.step import Become
from opslib.target import Target


def target(variables: dict[str, Any], **options: Any) -> Target:
    return target_from_vars("web1", variables, **options)


def test_nothing_set_leaves_everything_to_ssh() -> None:
    assert target({}) == Target(name="web1")


@pytest.mark.parametrize(
    ("variables", "attributes"),
    [
        ({"ansible_host": "10.0.0.1"}, {"address": "10.0.0.1"}),
        ({"ansible_host": "10.0.0.1", "ansible_ssh_host": "10.0.0.2"}, {"address": "10.0.0.2"}),
        ({"ansible_host": "web1"}, {"address": None}),
        ({"ansible_host": "fe80::1%eth0"}, {"address": "fe80::1%eth0"}),
        ({"ansible_host": ""}, {"address": None}),
        ({"ansible_host": None}, {"address": None}),
        ({"ansible_port": 2222}, {"port": 2222}),
        ({"ansible_port": "2222"}, {"port": 2222}),
        ({"ansible_port": 22, "ansible_ssh_port": 2222}, {"port": 2222}),
        ({"ansible_user": "bob"}, {"user": "bob"}),
        ({"ansible_user": "bob", "ansible_ssh_user": "eve"}, {"user": "eve"}),
        ({"ansible_user": 1000}, {"user": "1000"}),
        ({"ansible_password": "a b", "ansible_user": ""}, {"password": "a b", "user": None}),
        ({"ansible_ssh_pass": "-p"}, {"password": "-p"}),
        ({"ansible_password": 12345}, {"password": "12345"}),
        ({"ansible_ssh_private_key_file": "/k"}, {"identity_files": ("/k",)}),
        ({"ansible_ssh_common_args": "-o ProxyJump=bob@bastion:2222"}, {"gateway": "bob@bastion:2222"}),
        ({"ansible_ssh_common_args": "-J a,b"}, {"gateway": "a,b"}),
        ({"ansible_ssh_common_args": "-Ja"}, {"gateway": "a"}),
        ({"ansible_ssh_common_args": "-o ProxyJump=none"}, {"gateway": "none"}),
        ({"ansible_ssh_common_args": "-J ssh://bob@bastion"}, {"gateway": "bob@bastion"}),
        ({"ansible_ssh_extra_args": "-F /etc/other"}, {"ssh_config": "/etc/other"}),
        ({"ansible_ssh_common_args": "-i /a -o IdentityFile=/b"}, {"identity_files": ("/a", "/b")}),
        ({"ansible_ssh_common_args": "-oIdentityFile=/c"}, {"identity_files": ("/c",)}),
        ({"ansible_ssh_common_args": "-o 'IdentityFile /with space'"}, {"identity_files": ("/with space",)}),
        ({"ansible_ssh_common_args": "-p 23 -l amy"}, {"port": 23, "user": "amy"}),
        ({"ansible_ssh_common_args": "-o Port=23 -o User=amy"}, {"port": 23, "user": "amy"}),
        ({"ansible_ssh_common_args": "-o port=23", "ansible_port": 24}, {"port": 24}),
        ({"ansible_ssh_args": "-o port=23", "ansible_port": 24}, {"port": 23}),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}, {"host_keys": "off"}),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=accept-new"}, {"host_keys": "accept-new"}),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=yes"}, {"host_keys": "strict"}),
        ({"ansible_ssh_common_args": "-o UserKnownHostsFile=/a"}, {"known_hosts": ("/a",)}),
        ({"ansible_ssh_common_args": "-o 'UserKnownHostsFile=/a /b'"}, {"known_hosts": ("/a", "/b")}),
        ({"ansible_ssh_common_args": "-o UserKnownHostsFile=none"}, {"known_hosts": ("/dev/null",)}),
        ({"ansible_host_key_checking": False}, {"host_keys": "off"}),
        ({"ansible_host_key_checking": "false"}, {"host_keys": "off"}),
        ({"ansible_ssh_host_key_checking": "no", "ansible_host_key_checking": True}, {"host_keys": "off"}),
        ({"ansible_host_key_checking": True}, {"host_keys": "strict"}),
        ({"ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=5 -vvv -qT"}, {}),
        ({"ansible_ssh_common_args": "-o ConnectTimeout=5 -tt"}, {}),
        ({"ansible_connection": "ssh"}, {}),
        ({"ansible_connection": "ansible.builtin.paramiko_ssh"}, {}),
        ({"ansible_python_interpreter": "/usr/bin/python3.12"}, {"interpreter": "/usr/bin/python3.12"}),
        ({"ansible_python_interpreter": "auto_silent"}, {"interpreter": "python3"}),
        ({"ansible_shell_type": "sh"}, {}),
        ({"ansible_become": True}, {"become": Become()}),
        ({"ansible_become": "n"}, {}),
    ],
)  # fmt: skip
def test_variables(variables: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = target(variables)
    assert {name: getattr(found, name) for name in attributes} == attributes
    for name in Target.__dataclass_fields__:
        if name not in attributes:
            assert getattr(found, name) == getattr(Target(name="web1"), name), name


def test_a_local_host_needs_no_address() -> None:
    found = target(
        {"ansible_connection": "local", "ansible_python_interpreter": "/p", "ansible_ssh_common_args": "-W x"}
    )
    assert found == Target(name="web1", carrier="local", interpreter="/p")


def test_what_the_configuration_says_counts_where_no_variable_is_set() -> None:
    defaults = {"remote_user": "cfg", "port": 99, "become": True, "become_user": "cfgroot", "connection": "ssh"}
    assert target({"ansible_user": "bob"}, defaults=defaults) == Target(
        name="web1", user="bob", port=99, become=Become(user="cfgroot")
    )


def test_passwords_and_secrets_are_not_shown() -> None:
    found = target(
        {"ansible_password": "canary-1", "ansible_become": True, "ansible_become_pass": "canary-2"},
        secrets=["canary-3"],
    )
    assert "canary" not in repr(found)
    assert set(found.all_secrets()) == {"canary-1", "canary-2", "canary-3"}


@pytest.mark.parametrize(
    ("variables", "become"),
    [
        ({}, None),
        ({"ansible_become": False, "ansible_become_user": "bob"}, None),
        ({"ansible_become": True, "ansible_become_user": "bob"}, Become(user="bob")),
        ({"ansible_become": True, "ansible_become_user": "bob", "ansible_sudo_user": "eve"}, Become(user="eve")),
        ({"ansible_become": True, "ansible_become_password": "a"}, Become(password="a")),
        ({"ansible_become": True, "ansible_become_pass": "b", "ansible_become_password": "a"}, Become(password="b")),
        ({"ansible_become": True, "ansible_sudo_pass": "c"}, Become(password="c")),
        ({"ansible_become": "yes", "ansible_become_exe": "/usr/bin/sudo"}, Become(exe="/usr/bin/sudo")),
        ({"ansible_become": True, "ansible_become_flags": "-H -E 'a b'"}, Become(flags=("-H", "-E", "a b"))),
        ({"ansible_become": True, "ansible_become_method": "ansible.builtin.sudo"}, Become()),
    ],
)
def test_become(variables: dict[str, Any], become: Become | None) -> None:
    assert become_from_vars("web1", variables) == become


def test_a_variable_wins_over_a_keyword() -> None:
    keywords = {"become": True, "become_user": "amy"}
    assert become_from_vars("h", {"ansible_become_user": "bob"}, defaults=keywords) == Become(user="bob")
    assert become_from_vars("h", {"ansible_become": False}, defaults=keywords) is None
    assert become_from_vars("h", {}, defaults=keywords) == Become(user="amy")


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_connection": "docker"},
        {"ansible_connection": "community.docker.docker"},
        {"ansible_shell_type": "powershell"},
        {"ansible_become": True, "ansible_become_method": "su"},
        {"ansible_ssh_common_args": "-o ProxyCommand='nc %h %p'"},
        {"ansible_ssh_common_args": "-W host:22"},
        {"ansible_ssh_common_args": "-L 80:a:80"},
        {"ansible_ssh_common_args": "-o Ciphers=aes"},
        {"ansible_ssh_common_args": "-o UserKnownHostsFile=%d/x"},
        {"ansible_ssh_common_args": "-o IdentityFile=$HOME/x"},
        {"ansible_ssh_common_args": "somewhere"},
        {"ansible_ssh_common_args": "--"},
    ],
)
def test_what_only_ansible_understands(variables: dict[str, Any]) -> None:
    with pytest.raises(NotCarriedError, match=r"^host web1: ansible_"):
        target(variables)


HOSTILE = ["-oProxyCommand=x", "a\nb", "a\0b", "a\x1b[31m", "\udcff"]


@pytest.mark.parametrize("value", [*HOSTILE, "a b", "x@y", ["a"], {"a": 1}, True])
def test_wrong_addresses(value: object) -> None:
    with pytest.raises(InventoryError, match=r"^host web1: ansible_host: "):
        target({"ansible_host": value})


@pytest.mark.parametrize(
    "name",
    [
        "ansible_user",
        "ansible_ssh_private_key_file",
        "ansible_python_interpreter",
        "ansible_connection",
        "ansible_shell_type",
    ],
)
@pytest.mark.parametrize("value", [*HOSTILE, ["a"]])
def test_wrong_texts(name: str, value: object) -> None:
    with pytest.raises(InventoryError, match=f"^host web1: {name}: "):
        target({name: value})


@pytest.mark.parametrize("name", ["ansible_become_user", "ansible_become_exe", "ansible_become_method"])
@pytest.mark.parametrize("value", [*HOSTILE, ["a"]])
def test_wrong_texts_on_becoming(name: str, value: object) -> None:
    with pytest.raises(InventoryError, match=f"^host web1: {name}: "):
        target({"ansible_become": True, name: value})


@pytest.mark.parametrize("value", [0, 65536, "ssh", "22;x", -1, True, 2.5, ["22"], "9" * 5000])
def test_wrong_ports(value: object) -> None:
    with pytest.raises(InventoryError, match=r"^host web1: ansible_port: "):
        target({"ansible_port": value})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("-o ProxyJump=-oProxyCommand=x", "is no value for proxyjump"),
        ("-J 'a b'", r"is no \[user@\]host"),
        ("-J a,,b", r"is no \[user@\]host"),
        ("-J a,-b", r"is no \[user@\]host"),
        ("-J user@", r"is no \[user@\]host"),
        ("-o StrictHostKeyChecking=maybe", "is none of yes"),
        ("-o Port=x", "is no port"),
        ("-l 'a b'", "is no user name"),
        ("-o", "lacks its value"),
        ("-o Port", "is no value for port"),
        ("'unclosed", "No closing quotation"),
        ("a\nb", "is no text on one line"),
        (["-J", "a"], "is no text on one line"),
    ],
)
def test_wrong_arguments_of_ssh(args: object, said: str) -> None:
    with pytest.raises(InventoryError, match=said) as caught:
        target({"ansible_ssh_common_args": args})
    assert str(caught.value).startswith("host web1: ansible_ssh_common_args: ")


@pytest.mark.parametrize("name", ["ansible_host_key_checking", "ansible_become"])
@pytest.mark.parametrize("value", ["perhaps", 2, ["yes"], "a\nb"])
def test_wrong_flags(name: str, value: object) -> None:
    with pytest.raises(InventoryError, match=f"^host web1: {name}: .*boolean"):
        target({name: value})


@pytest.mark.parametrize("name", ["ansible_password", "ansible_become_password"])
@pytest.mark.parametrize("value", ["canary\nx", "canary\0", ["canary"]])
def test_wrong_passwords_are_not_repeated(name: str, value: object) -> None:
    with pytest.raises(InventoryError, match=f"^host web1: {name}: ") as caught:
        target({name: value, "ansible_become": True})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a\nb", "a\0", "\x1b[31m", "\udcff", "a\tb", None, 5])
def test_wrong_host_names(name: Any) -> None:
    with pytest.raises(InventoryError, match="is no host name"):
        check_name(name)
    with pytest.raises(InventoryError, match="is no host name"):
        target_from_vars(name, {})


@pytest.mark.parametrize("name", ["web1", "web-1.example.org", "10.0.0.1", "fe80::1", "höst", "db[1]"])
def test_host_names(name: str) -> None:
    check_name(name)


VARIABLES = st.sampled_from(
    [
        "ansible_host",
        "ansible_port",
        "ansible_user",
        "ansible_password",
        "ansible_ssh_private_key_file",
        "ansible_ssh_args",
        "ansible_ssh_common_args",
        "ansible_connection",
        "ansible_host_key_checking",
        "ansible_become",
        "ansible_become_user",
        "ansible_become_flags",
        "ansible_python_interpreter",
    ]
)
VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.lists(st.text(), max_size=2))


@given(st.dictionaries(VARIABLES, VALUES))
def test_any_values_give_a_safe_target_or_an_inventory_error(variables: dict[str, Any]) -> None:
    try:
        found = target(variables)
    except InventoryError as error:
        assert "\n" not in str(error)
        return
    texts = [found.address, found.user, found.gateway, found.ssh_config, found.interpreter, *found.identity_files]
    for text in texts:
        assert text is None or (text.isprintable() and not text.startswith("-"))
    assert found.port is None or 1 <= found.port <= 65535
