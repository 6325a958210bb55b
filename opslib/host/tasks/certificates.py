"""Say which certificates expire, in files and behind ports."""

from __future__ import annotations

import os
import time

from opslib.host.params import Duration, ListOf, ParamError, Path, Port, Text, shown
from opslib.host.plan import Plan
from opslib.host.system import apart
from opslib.host.task import Task, param
from opslib.host.words import count, listed, printable, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

DAY = 86400
MOST_FILES, MOST = 500, 200
_LONGEST = 1 << 19
_SEQUENCE = b"0"  # what every certificate in DER begins with
_BEGIN, _END = "-----BEGIN ", "-----END "
_KINDS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_FILES = ["/etc/letsencrypt/live/*/cert.pem", "/etc/nginx/ssl/*", "/etc/apache2/ssl/*", "/etc/ssl/local/*"]


class Endpoint(Text):
    """A port on this host, or host:port. Canonical: host:port."""

    def __init__(self) -> None:
        super().__init__("port, or host:port such as www.example.org:443 or [::1]:443")

    def check(self, value: str) -> str:
        host, _sign, port = ("127.0.0.1:" + value if value.isdigit() else value).rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        right = bare and len(bare) < 254 and all(c.isalnum() or c in "-._" + ":" * (bare != host) for c in bare)
        if not right or not bare.isascii() or bare.startswith("-"):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return "%s:%d" % (host, Port()(port))


class Certificates(Task, name="certificates"):
    """Look at the certificates in files and behind TLS ports of or near the host, and say which expire, and when.

    All certificates of a file count, so a chain with an expired link is found. What a port shows is read without
    checking who signed it. Files are read as PEM and as DER. Of files found by a pattern, one that holds no certificate
    (a key, a request) is passed over, and one that cannot be read is warned of. Nothing is changed.

    data: `certificates` (at most 200, the first to expire first): `where` (path, or host:port), `subject`, `names`
    (at most 20), `issuer`, `not_before`, `not_after` (UTC), `expires_seconds` (negative: it has expired);
    `certificates_count`, `unreadable` in words.

    Errors: a port that does not answer or speaks no TLS; a file that is named, without * and the like, and is missing,
    cannot be read or holds no certificate. Sources: RFC 5280, RFC 7468, x509(1) of OpenSSL, Python's ssl.
    """

    files: list[str] = param(
        ListOf(Path(), longest=100), "Files and patterns, absolute.", default=_FILES, example=["/etc/nginx/ssl/*.pem"]
    )
    endpoints: list[str] = param(
        ListOf(Endpoint(), longest=50), "TLS ports, as 443 or host:port.", default=[], example=["443"]
    )
    warn: float = param(Duration(), "Warn of what expires within so many seconds.", default="30d")
    fail: float = param(Duration(), "Fail when something expires within so many seconds.", default="7d")
    timeout: float = param(Duration(low=0.1), "Seconds that a port may take to answer.", default=10)

    def check(self) -> None:
        if self.fail > self.warn:
            self.refuse("fail %g s must not be above warn %g s" % (self.fail, self.warn))

    def probe(self) -> dict[str, Any]:
        state: dict[str, Any] = {"now": time.time(), "found": [], "problems": [], "missed": [], "silent": []}
        for path in _paths(self.files):
            problems = state["missed" if path in self.files else "problems"]
            try:
                rows = read(path)
            except OSError as error:
                problems.append("%s cannot be read: %s" % (path, error.strerror))
            except ValueError as error:
                problems.append("%s: %s" % (path, error))
            else:
                state["found"] += [dict(row, where=path) for row in rows]
                if not rows and path in self.files:
                    problems.append("%s holds no certificate" % path)
        answers = apart.ask(_shake_hands, [(each, self.timeout) for each in self.endpoints], self.timeout + 1)
        for each, answer in zip(self.endpoints, answers):
            if isinstance(answer, dict):
                state["found"].append(dict(answer, where=each))
            else:
                state["silent"].append("%s: %s" % (each, answer or "no answer within %g seconds" % self.timeout))
        return state

    def plan(self, state: dict[str, Any]) -> Plan:
        rows = []
        for row in state["found"]:
            rows.append(dict(row, expires_seconds=int(row["until"] - state["now"])))
        rows.sort(key=lambda row: (row["expires_seconds"], row["where"]))
        failures, warnings = [], []
        for row in rows:
            if row["expires_seconds"] <= self.fail:
                failures.append(_words(row))
            elif row["expires_seconds"] <= self.warn:
                warnings.append(_words(row))
            if row["since"] > state["now"]:
                failures.append("%s (%s) is not valid before %s" % (row["where"], row["subject"], row["not_before"]))
        failures += [printable(text) for text in (*state["missed"], *state["silent"])]
        reason = "no certificate was found"
        if rows:
            reason = "%s; the first to expire is %s" % (count(len(rows), "certificate"), _words(rows[0]))
        shown_rows = [{key: row[key] for key in row if key not in ("until", "since")} for row in rows[:MOST]]
        return Plan(
            reason=reason,
            failure=listed(failures, 20),
            warnings=[*warnings[:50], *(printable(text) for text in state["problems"][:20])],
            data={
                "certificates": shown_rows,
                "certificates_count": len(rows),
                "unreadable": [printable(text) for text in (*state["missed"], *state["problems"])[:50]],
            },
        )


def _paths(patterns: Sequence[str]) -> list[str]:
    import glob

    found: list[str] = []
    for pattern in patterns:
        for path in sorted(glob.iglob(pattern)) if glob.has_magic(pattern) else [pattern]:
            if path not in found and (not glob.has_magic(pattern) or os.path.isfile(path)):
                found.append(path)
            if len(found) >= MOST_FILES:
                return found
    return found


def read(path: str) -> list[dict[str, Any]]:
    """Return the certificates in a file. Raises OSError, and ValueError for a damaged one."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        data = os.read(fd, _LONGEST)
    finally:
        os.close(fd)
    if data[:1] == _SEQUENCE:
        return _alone(data)
    found = []
    for part in data.decode("ascii", "replace").split(_BEGIN)[1:50]:
        kind, _sign, rest = part.partition("-----")
        if kind in _KINDS:
            body, end, _rest = rest.partition(_END + kind)
            if not end:
                raise ValueError("a certificate in there is cut off")
            found.append(decode(_der(body)))
    return found


def _alone(data: bytes) -> list[dict[str, Any]]:
    """Return the certificate that a DER file is, nothing when it is something else, such as a key."""
    try:
        return [decode(data)]
    except ValueError:
        return []


def _der(body: str) -> bytes:
    """Return what stands between the lines of a PEM file. Raises ValueError."""
    import base64

    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except ValueError as error:
        raise ValueError("a certificate in there cannot be read: %s" % error) from None


def _first(der: bytes) -> bytes:
    """Return the first thing in DER, without what follows it, such as OpenSSL's remarks on trust (X.690, 8.1.3)."""
    size, begins = der[1] if len(der) > 1 else 0, 2
    if size > 127:
        begins += size - 128
        size = int.from_bytes(der[2:begins], "big")
    return der[: begins + size]


def decode(der: bytes) -> dict[str, Any]:
    """Return what a certificate says. Raises ValueError when it is none."""
    import _ssl
    import ssl

    fd = os.memfd_create("certificate")
    try:
        os.write(fd, ssl.DER_cert_to_PEM_cert(_first(der)).encode("ascii"))
        # The only decoder in the standard library, there since 2.6, takes a file.
        said: dict[str, Any] = _ssl._test_decode_cert("/proc/self/fd/%d" % fd)  # type: ignore[attr-defined]
    except (ssl.SSLError, OSError) as error:
        raise ValueError("a certificate in there cannot be read: %s" % error) from None
    finally:
        os.close(fd)
    names = [value for kind, value in said.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    since, until = (float(ssl.cert_time_to_seconds(said[key])) for key in ("notBefore", "notAfter"))
    return {
        "where": "",
        "subject": _name(said.get("subject", ())),
        "names": [printable(name) for name in names[:20]],
        "issuer": _name(said.get("issuer", ())),
        "not_before": utc(since),
        "not_after": utc(until),
        "since": since,
        "until": until,
    }


def _shake_hands(asked: tuple[str, float]) -> Any:
    """Return what the certificate behind a port says, or what went wrong; runs in a child."""
    import socket
    import ssl

    endpoint, timeout = asked
    host, _sign, port = endpoint.rpartition(":")
    host = host.strip("[]")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, int(port)), timeout) as connection:
            with context.wrap_socket(connection, server_hostname=host) as speaking:
                der = speaking.getpeercert(True)
        return decode(der) if der else "it shows no certificate"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _name(parts: Any) -> str:
    pairs = [pair for group in parts for pair in group]
    for wanted in ("commonName", "organizationName"):
        for key, value in pairs:
            if key == wanted:
                return printable(str(value))[:200]
    return printable(", ".join("%s=%s" % pair for pair in pairs))[:200]


def _words(row: dict[str, Any]) -> str:
    days = row["expires_seconds"] // DAY
    when = "expires in %d days" % days if row["expires_seconds"] >= 0 else "expired %d days ago" % -days
    return "%s (%s) %s, on %s" % (printable(row["where"]), row["subject"], when, row["not_after"][:10])
