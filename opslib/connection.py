"""What Ansible's connection variables say of a host, as a `Target`. Pure: no file is read, nothing is asked.

Names and their order of precedence are those of ansible-core's ssh connection and sudo become plugins (of several
names for one setting the last that is set wins, and a variable wins over a keyword of a task); options of ssh are
those of ssh(1) and ssh_config(5), where the first value that is given wins.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opslib.errors import InventoryError
from opslib.host.params import Boolean, ParamError, Port, shown
from opslib.step import Become
from opslib.target import HostKeyPolicy, Target

__all__ = ["BECOME_VARS", "CONNECTION_VARS", "NotCarriedError", "become_from_vars", "check_name", "target_from_vars"]

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "remote_user": ("ansible_user", "ansible_ssh_user"),
    "password": ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    "private_key_file": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
    "ssh_args": ("ansible_ssh_args",),
    "ssh_common_args": ("ansible_ssh_common_args",),
    "ssh_extra_args": ("ansible_ssh_extra_args",),
    "host_key_checking": ("ansible_host_key_checking", "ansible_ssh_host_key_checking"),
    "connection": ("ansible_connection",),
    "shell_type": ("ansible_shell_type",),
    "interpreter": ("ansible_python_interpreter",),
}
_BECOME: Final[Mapping[str, tuple[str, ...]]] = {
    "become": ("ansible_become",),
    "become_method": ("ansible_become_method",),
    "become_user": ("ansible_become_user", "ansible_sudo_user"),
    "become_password": ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
    "become_exe": ("ansible_become_exe", "ansible_sudo_exe"),
    "become_flags": ("ansible_become_flags", "ansible_sudo_flags"),
}
CONNECTION_VARS: Final = frozenset(name for names in _NAMES.values() for name in names)
BECOME_VARS: Final = frozenset(name for names in _BECOME.values() for name in names)

_SHORT_FLAGS: Final = {"y": "yes", "t": "true", "n": "no", "f": "false"}
_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh")
_HARMLESS_FLAGS = frozenset("CqvTxXakKAtny")
_HARMLESS = frozenset(
    [
        "addkeystoagent",
        "batchmode",
        "checkhostip",
        "compression",
        "connectionattempts",
        "connecttimeout",
        "controlmaster",
        "controlpath",
        "controlpersist",
        "escapechar",
        "exitonforwardfailure",
        "forwardagent",
        "forwardx11",
        "forwardx11trusted",
        "gssapiauthentication",
        "hashknownhosts",
        "identitiesonly",
        "kbdinteractiveauthentication",
        "loglevel",
        "numberofpasswordprompts",
        "passwordauthentication",
        "preferredauthentications",
        "pubkeyauthentication",
        "requesttty",
        "serveralivecountmax",
        "serveraliveinterval",
        "tcpkeepalive",
        "updatehostkeys",
        "visualhostkey",
    ]
)
_HOST_KEYS: Final[Mapping[str, HostKeyPolicy]] = {
    "yes": "strict",
    "ask": "strict",
    "accept-new": "accept-new",
    "no": "off",
    "off": "off",
}


class NotCarriedError(InventoryError):
    """The setting is right, but only Ansible's own connections understand it."""


def target_from_vars(
    name: str,
    variables: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
) -> Target:
    """Return the target that a host's variables describe.

    name: of the host in the inventory; variables: the host's, templated; defaults: settings by the names of Ansible's
    keywords (`remote_user`, `port`, `connection`, `private_key_file`, `ssh_args`, `become`, ...) for what no variable
    sets; secrets: texts never to be shown.

    Raises InventoryError for a value that cannot be right, NotCarriedError for one that only Ansible understands.
    """
    check_name(name)
    seen = _Settings(name, variables, defaults or {})
    carrier = _carrier(seen)
    shell = seen.text("shell_type")
    if shell not in (None, "sh", "bash"):
        raise NotCarriedError(f"{seen.where('shell_type')}: the shell {shown(shell)} is not carried, only sh is")
    become = become_from_vars(name, variables, defaults=defaults)
    interpreter = seen.text("interpreter") or "auto"
    if interpreter.startswith("auto"):
        interpreter = "python3"
    if carrier == "local":
        return Target(name=name, carrier="local", interpreter=interpreter, become=become, secrets=frozenset(secrets))
    ssh = _SshOptions(seen)
    ssh.read("ssh_args")
    checking = seen.flag("host_key_checking")
    if checking is False:
        ssh.first("stricthostkeychecking", "no", "host_key_checking")
    ssh.first("port", seen.value("port"), "port")
    ssh.first("user", seen.text("remote_user"), "remote_user")
    if key := seen.text("private_key_file"):
        ssh.keys.append(_at_home(key))
    ssh.read("ssh_common_args")
    ssh.read("ssh_extra_args")
    address = seen.text("host") or name
    if any(c.isspace() for c in address) or "@" in address:
        raise InventoryError(f"{seen.where('host')}: {shown(address)} is no host name or address")
    return Target(
        name=name,
        address=address if address != name else None,
        port=ssh.port(),
        user=ssh.user(),
        identity_files=tuple(ssh.keys),
        password=seen.text("password", lines=True),
        gateway=ssh.gateway(),
        ssh_config=ssh.values.get("config"),
        known_hosts=ssh.known_hosts(),
        host_keys=ssh.host_keys(),
        interpreter=interpreter,
        become=become,
        secrets=frozenset(secrets),
    )


def become_from_vars(
    name: str, variables: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> Become | None:
    """Return as whom steps run on a host, None for the user who connects.

    defaults: the keywords `become`, `become_user`, `become_method`, `become_exe`, `become_flags` of a task. Raises as
    `target_from_vars` does.
    """
    seen = _Settings(name, variables, defaults or {}, _BECOME)
    if not seen.flag("become"):
        return None
    method = (seen.text("become_method") or "sudo").removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    if method != "sudo":
        raise NotCarriedError(f"{seen.where('become_method')}: {shown(method)} is not carried, only sudo is")
    user = seen.text("become_user") or "root"
    if any(c.isspace() or c in ":/" for c in user):
        raise InventoryError(f"{seen.where('become_user')}: {shown(user)} is no user name")
    return Become(
        user=user,
        password=seen.text("become_password", lines=True),
        exe=seen.text("become_exe") or "sudo",
        flags=tuple(seen.words("become_flags")),
    )


def check_name(name: str) -> None:
    """Refuse a host name that a program could take for an option, or that would garble what is shown."""
    if not isinstance(name, str) or not name or name.startswith("-") or not name.isprintable() or " " in name:
        raise InventoryError(
            f"{shown(name)} is no host name: it is empty, begins with '-', or holds spaces or control characters"
        )


class _Settings:
    """The settings of one host: from its variables, or else from the defaults."""

    def __init__(
        self,
        host: str,
        variables: Mapping[str, Any],
        defaults: Mapping[str, Any],
        names: Mapping[str, tuple[str, ...]] = _NAMES,
    ) -> None:
        self.host, self.variables, self.defaults, self.names = host, variables, defaults, names

    def where(self, setting: str) -> str:
        """Return the words that name a setting in an error."""
        return f"host {self.host}: {self._found(setting)[0]}"

    def _found(self, setting: str) -> tuple[str, Any]:
        for variable in reversed(self.names[setting]):
            if self.variables.get(variable) is not None:
                return variable, self.variables[variable]
        return setting, self.defaults.get(setting)

    def value(self, setting: str) -> Any:
        """Return what is set, None for nothing or empty text."""
        value = self._found(setting)[1]
        return None if isinstance(value, str) and not value.strip() else value

    def text(self, setting: str, *, lines: bool = False) -> str | None:
        """Return a text that no program can take for an option, or with `lines` any text (a password)."""
        value = self.value(setting)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InventoryError(f"{self.where(setting)}: a {type(value).__name__} was given; a text is wanted")
        if lines:
            if any(c in value for c in "\0\r\n"):
                raise InventoryError(f"{self.where(setting)}: it holds a line break or NUL")
            return value
        if value.startswith("-") or not value.isprintable():
            raise InventoryError(f"{self.where(setting)}: {shown(value)} begins with '-' or holds control characters")
        return value

    def flag(self, setting: str) -> bool | None:
        """Return a yes or no, None when nothing is set."""
        value = self.value(setting)
        if value is None:
            return None
        try:
            return Boolean()(_SHORT_FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value)
        except ParamError as error:
            raise InventoryError(f"{self.where(setting)}: {error}") from None

    def words(self, setting: str) -> list[str]:
        """Return a text cut into words as a shell would."""
        value = self.value(setting)
        if value is None:
            return []
        if not isinstance(value, str) or any(c in value for c in "\0\r\n\x1b"):
            raise InventoryError(f"{self.where(setting)}: {shown(value)} is no text on one line")
        try:
            return shlex.split(value)
        except ValueError as error:
            raise InventoryError(f"{self.where(setting)}: {shown(value)}: {error}") from None


def _carrier(seen: _Settings) -> str:
    kind = seen.text("connection") or "ssh"
    plain = kind.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    if plain in _SSH:
        return "ssh"
    if plain == "local":
        return "local"
    raise NotCarriedError(f"{seen.where('connection')}: {shown(kind)} is not carried, only ssh and local are")


def _at_home(path: str) -> str:
    return os.path.expanduser(path)


@dataclass(slots=True)
class _SshOptions:
    """Options of ssh(1), gathered in the order in which Ansible would put them on its command line."""

    seen: _Settings
    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def first(self, option: str, value: Any, setting: str) -> None:
        """Keep a value unless one is known: of an option given twice, ssh takes the first."""
        if value is not None and option not in self.values:
            self.values[option] = value
            self.origin[option] = self.seen.where(setting)

    def read(self, setting: str) -> None:
        """Take in one of Ansible's three texts with arguments for ssh."""
        where = self.seen.where(setting)
        words = iter(self.seen.words(setting))
        for word in words:
            if not word.startswith("-") or word in ("-", "--"):
                raise NotCarriedError(f"{where}: {shown(word)} is not understood")
            letters = word[1:]
            while letters and letters[0] in _HARMLESS_FLAGS:
                letters = letters[1:]
            if not letters:
                continue
            letter, value = letters[0], letters[1:]
            if letter not in "oJFipl":
                raise NotCarriedError(f"{where}: the option -{letter} of ssh is not carried")
            if not value:
                value = next(words, "")
            if not value:
                raise InventoryError(f"{where}: -{letter} lacks its value")
            self._option(letter, value, setting)

    def _option(self, letter: str, value: str, setting: str) -> None:
        where = self.seen.where(setting)
        if letter == "o":
            keyword, _, value = value.replace("=", " ", 1).strip().partition(" ")
            keyword, value = keyword.lower(), value.strip().strip('"')
        else:
            keyword = {"J": "proxyjump", "F": "config", "i": "identityfile", "p": "port", "l": "user"}[letter]
        if keyword in _HARMLESS:
            return
        known = (
            *("config", "globalknownhostsfile", "identityfile", "port", "proxyjump"),
            *("stricthostkeychecking", "user", "userknownhostsfile"),
        )
        if keyword not in known:
            raise NotCarriedError(f"{where}: the option {shown(keyword)} of ssh is not carried")
        if not value or value.startswith("-") or not value.isprintable():
            raise InventoryError(f"{where}: {shown(value)} is no value for {keyword}")
        if "%" in value or "$" in value:
            raise NotCarriedError(f"{where}: {shown(value)}: tokens of ssh are not carried")
        if keyword == "identityfile":
            self.keys.append(_at_home(value))
        elif keyword == "config":
            self.first(keyword, _at_home(value), setting)
        else:
            self.first(keyword, value, setting)

    def port(self) -> int | None:
        """Return the port, None for ssh's default."""
        if (value := self.values.get("port")) is None:
            return None
        try:
            return int(Port()(value))
        except ParamError as error:
            raise InventoryError(f"{self.origin['port']}: {error}") from None

    def user(self) -> str | None:
        """Return the user, None for ssh's default."""
        value: str | None = self.values.get("user")
        if value is not None and any(c.isspace() or c in "@:/" for c in value):
            raise InventoryError(f"{self.origin['user']}: {shown(value)} is no user name")
        return value

    def gateway(self) -> str | None:
        """Return the ProxyJump specification."""
        value: str | None = self.values.get("proxyjump")
        if value is None:
            return None
        hops = [hop.removeprefix("ssh://") for hop in value.split(",")]
        for hop in hops:
            host = hop.rpartition("@")[2]
            if not hop or hop.startswith("-") or not host or host.startswith("-") or any(c.isspace() for c in hop):
                raise InventoryError(f"{self.origin['proxyjump']}: {shown(value)} is no [user@]host[:port]")
        return ",".join(hops)

    def known_hosts(self) -> Sequence[str]:
        """Return the files with known host keys, nothing for ssh's usual ones."""
        user = self.values.get("userknownhostsfile", "")
        shared = self.values.get("globalknownhostsfile", "")
        if shared and not user:
            user = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
        words = [word for value in (user, shared) for word in (["/dev/null"] if value == "none" else value.split())]
        return tuple(_at_home(word) for word in words)

    def host_keys(self) -> HostKeyPolicy:
        """Return what to do with unknown host keys."""
        value = str(self.values.get("stricthostkeychecking", "yes")).lower()
        if value not in _HOST_KEYS:
            raise InventoryError(
                f"{self.origin['stricthostkeychecking']}: StrictHostKeyChecking {shown(value)} is none of "
                + ", ".join(_HOST_KEYS)
            )
        return _HOST_KEYS[value]
