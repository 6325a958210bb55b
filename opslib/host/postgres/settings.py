"""Where a database is and who asks: from a task's parameters, or from a URL in an environment file on the host."""

from __future__ import annotations

from opslib.host.files import env_file
from opslib.host.params import Choice, Duration, Kind, Name, ParamError, Path, Port, Text, shown
from opslib.host.record import Record
from opslib.host.task import Task, TaskError, param
from opslib.host.words import printable

from .faults import PostgresError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from .session import Session

SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
SOCKETS = "/var/run/postgresql"
_SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_NO_FILE = "/nonexistent"  # a user's own settings must not change what is asked for
_HOST_SIGNS = ".-_:%"


class ServerName(Kind):
    """A host name, an IP address, or the absolute path of the folder that holds a server's socket."""

    label = "host name, address, or folder of the server's socket"
    ansible = "str"

    def __call__(self, value: Any) -> str:
        if isinstance(value, str) and value.startswith("/"):
            path = Path()(value)
            if len(path.encode("utf-8", "surrogateescape")) > 80:
                raise ParamError("%s is too long for the folder of a socket" % shown(value))
            return path
        if isinstance(value, str) and ("@" in value or "," in value):
            raise ParamError("give one %s, without user or port" % self.label)
        return Name(self.label, signs=_HOST_SIGNS)(value)


class Label(Text):
    """A name or word as the server knows it: whatever can be sent to it."""

    def check(self, value: str) -> str:
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeError:
            raise ParamError("%s holds half a character" % self._shown(value)) from None
        return value


class EnvKey(Name):
    """The name of an environment variable."""

    def __init__(self) -> None:
        super().__init__("name of an environment variable", signs="_")

    def check(self, value: str) -> str:
        if value[0].isdigit():
            raise ParamError("%s is no %s: it begins with a digit" % (shown(value), self.label))
        return super().check(value)


class Settings(Record):
    """How to connect. `host` is a name, an address, or the folder of a socket; `identity`: whose rights to use."""

    host: str
    port: int
    user: str
    database: str
    password: str | None = None
    sslmode: str = "prefer"
    ca_file: str | None = None
    identity: str | None = None
    timeout: float = 10

    @property
    def local(self) -> bool:
        """Whether the server is reached through a socket in the file system."""
        return self.host.startswith("/")

    @property
    def place(self) -> str:
        """The server and database in words, without the password."""
        where = "the socket in %s" % self.host if self.local else self.host
        return "%s at %s port %d" % (self.database, where, self.port)

    def __repr__(self) -> str:
        return "Settings(%s as %s)" % (self.place, self.user)

    def to(self, database: str) -> Settings:
        """Return the same for another database."""
        return Settings(**dict(self._values(), database=database))

    def environment(self) -> dict[str, str]:
        """Return what libpq's programs read from their environment; nothing of it stands in their arguments."""
        env = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGSSLMODE": "disable" if self.local else self.sslmode,
            "PGCONNECT_TIMEOUT": str(max(2, int(self.timeout))),
            "PGPASSFILE": _NO_FILE,
            "PGSERVICEFILE": _NO_FILE,
            "PGAPPNAME": "opslib",
            "PGGSSENCMODE": "disable",
            "HOME": "/",
        }
        if self.password is not None:
            env["PGPASSWORD"] = self.password
        if self.sslmode.startswith("verify"):
            env["PGSSLROOTCERT"] = self.ca_file or _SYSTEM_AUTHORITIES
        return env


class PostgresTask(Task):
    """What all tasks on a PostgreSQL database share: how to connect."""

    database: str | None = param(
        Label("database name"), "Database; by default that of the URL, or the user's name.", default=None, example="app"
    )
    host: str | None = param(
        ServerName(),
        "Server as seen from the host: a name, an address, or the folder of its socket; by default the local socket.",
        default=None,
        example="127.0.0.1",
    )
    port: int | None = param(Port(), "Port of the server; by default 5432.", default=None, example=5432)
    user: str | None = param(Label("role name"), "Role to connect as.", default=None, example="app")
    password: str | None = param(
        Label("password", secret=True),
        "Password of the role; better left on the host, in `env_file`.",
        default=None,
    )
    env_file: str | None = param(
        Path(), "Environment file on the host that holds the URL or password.", default=None, example="/etc/app.env"
    )
    env_key: str = param(
        EnvKey(),
        "Variable in `env_file`: a URL such as postgresql://user:password@host/database, or else the password alone.",
        default="DATABASE_URL",
    )
    sslmode: str | None = param(
        Choice(*SSL_MODES), "How TLS is used, as libpq has it; by default prefer.", default=None, example="verify-full"
    )
    ca_file: str | None = param(
        Path(),
        "PEM file of the authorities that may vouch for the server; by default the system's.",
        default=None,
        example="/etc/ssl/db-ca.pem",
    )
    system_user: str | None = param(
        Name("user name", signs="_.-$", longest=32),
        "User of the host with whose rights to connect (peer authentication on the local socket), whatever user and "
        "server a URL names; takes root.",
        default=None,
        example="postgres",
    )
    connect_timeout: float = param(
        Duration(low=0.1), "Seconds for name lookup, connecting, TLS and authentication together.", default=10
    )

    _found: Any = None

    def check(self) -> None:
        if self.password is not None and self.env_file is not None:
            self.refuse("give password or env_file, not both")
        if self.ca_file is not None and self.sslmode in ("disable", "prefer", "require"):
            self.refuse("ca_file is for sslmode verify-ca or verify-full; with %s nothing is verified" % self.sslmode)
        if self.system_user is not None and self.host is not None and not self.host.startswith("/"):
            self.refuse("system_user is for the local socket; leave out host, or give the folder of the socket")
        if self.env_file is None and not self.user and not self.system_user:
            self.refuse("say who connects: give user, env_file or system_user")

    def secrets(self) -> Iterator[str]:
        """Yield the password, and what was read from the environment file."""
        yield from super().secrets()
        yield from self._found or ()

    def settings(self) -> Settings:
        """Return how to connect; reads the environment file. Raises TaskError, which never holds what it read."""
        url: dict[str, str] = {}
        password = self.password
        if self.env_file is not None:
            value = env_file.read(self.env_file).get(self.env_key)
            if not value:
                raise TaskError("%s holds no %s" % (self.env_file, self.env_key))
            object.__setattr__(self, "_found", (*(self._found or ()), value))
            if "://" in value:
                try:
                    url = parse_url(value)
                except ParamError as error:
                    words = "%s in %s is no URL of a database: %s" % (self.env_key, self.env_file, error)
                    raise TaskError(words) from None
            else:
                password = value
        password = url.get("password", password)
        if password:
            object.__setattr__(self, "_found", (*(self._found or ()), password))
        local = self.system_user is not None
        user = self.user or (self.system_user if local else url.get("user"))
        if not user:
            raise TaskError("%s names no user; give user" % self.env_key)
        return Settings(
            host=self.host or (SOCKETS if local else url.get("host") or SOCKETS),
            port=self.port or int((not local and url.get("port")) or 5432),
            user=user,
            database=self.database or url.get("database") or user,
            password=None if local else password,
            sslmode=self.sslmode or url.get("sslmode") or "prefer",
            ca_file=self.ca_file or url.get("ca_file"),
            identity=self.system_user,
            timeout=self.connect_timeout,
        )

    def connect(self, settings: Settings) -> Session:
        """Connect. Raises PostgresError, which begins with the server and database."""
        from .session import Session

        try:
            return Session(settings)
        except PostgresError as error:
            raise PostgresError(error.stage, "%s: %s" % (printable(settings.place), error), error.code) from None


def parse_url(text: str) -> dict[str, str]:
    """Return host, port, user, password, database, sslmode and ca_file of a URL, those it has.

    It is read as libpq and SQLAlchemy read it: percent-encoded, a driver may follow the scheme (postgresql+psycopg).
    Raises ParamError, which never repeats the URL. Source: "Connection URIs" in PostgreSQL's documentation of libpq.
    """
    from urllib.parse import parse_qsl, unquote

    scheme, _sign, rest = text.partition("://")
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise ParamError("it does not begin with postgresql://")
    rest, _sign, query = rest.partition("?")
    account, _sign, place = rest.rpartition("@")
    place, _sign, database = place.partition("/")
    user, colon, password = account.partition(":")
    host, port = _split_port(place)
    found = {"host": unquote(host), "port": port, "user": unquote(user), "database": unquote(database)}
    if colon:
        found["password"] = unquote(password)
    names = {"dbname": "database", "sslrootcert": "ca_file", "ssl": "sslmode"}
    for key, value in parse_qsl(query):
        name = names.get(key, key)
        if name in ("host", "port", "user", "password", "database", "sslmode", "ca_file"):
            found[name] = value
    found["sslmode"] = {"allow": "prefer", "true": "require"}.get(found.get("sslmode", ""), found.get("sslmode", ""))
    if found["sslmode"] not in ("", *SSL_MODES):
        raise ParamError("its sslmode is none of %s" % ", ".join(SSL_MODES))
    if any("\0" in value for value in found.values()):
        raise ParamError("it holds a NUL")
    try:
        found.update({"port": str(Port()(found["port"]))} if found["port"] else {})
    except ParamError:
        raise ParamError("its port is no number from 1 to 65535") from None
    try:
        found.update({"host": ServerName()(found["host"])} if found["host"] else {})
    except ParamError:
        raise ParamError("its host is no %s" % ServerName.label) from None
    return {key: value for key, value in found.items() if value}


def _split_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _sign, port = place[1:].partition("]")
        return host, port.lstrip(":")
    host, _sign, port = place.partition(":")
    return host, port
