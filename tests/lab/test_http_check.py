"""The task `http_check` on a real host: a good answer, and all the bad ones that `curl` takes for good."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opslib import Status, StepResult, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.units import Units, website
from support.witness import Witnesses

SITE = "http://127.0.0.1:8080"
SECURE = "https://site.internal:8443"


@pytest.fixture(scope="module", autouse=True)
def site(server: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two sites on the host, one of them with a certificate that it made itself."""
    units = Units(server)
    command = website(server)
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    for name in ("cert.pem", "key.pem"):
        server.write(f"/etc/site/{name}", (folder / name).read_bytes())
    server.run(["sh", "-c", "echo 127.0.0.1 site.internal other.internal >> /etc/hosts"])
    units.add("site", f"ExecStart={command} 8080")
    units.add("secure", f"ExecStart={command} 8443 /etc/site/cert.pem /etc/site/key.pem")
    units.control("start", "site", "secure")
    for port in (8080, 8443):
        server.run(["python3", "-c", WAIT, str(port)])
    yield
    units.close()


WAIT = """
import socket, sys, time
for _ in range(600):
    try: socket.create_connection(("127.0.0.1", int(sys.argv[1]))); break
    except OSError: time.sleep(0.05)
else: sys.exit("nothing listens")
"""


def make_certificate(folder: Path) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=site.internal"
    words += " -addext subjectAltName=DNS:site.internal -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)


def ask(server: LabHost, apply: Apply, **parameters: Any) -> StepResult:
    (step,) = apply(server, tasks.http_check(**parameters)).steps
    assert not step.changed
    return step


def test_good_answer(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = tasks.http_check(
        url=f"{SITE}/health",
        json={"status": "healthy", "database": {"connected": True}},
        header={"X-Served-By": "LAB"},
        max_latency=5,
    )
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    assert step.status is Status.OK, step.error
    script = "import sys, urllib.request as u; a = u.urlopen(sys.argv[1]); print(a.status, len(a.read()))"
    seen = witness(server).check_output("python3 -c %s %s", script, f"{SITE}/health")
    assert f"{step.data['status']} {step.data['size_bytes']}" == seen
    assert step.data["address"].startswith("127.0.0.1")


@pytest.mark.parametrize(
    ("problem", "parameters"),
    [
        ("status", {"url": f"{SITE}/sick"}),
        ("status", {"url": f"{SITE}/nothing"}),
        ("html", {"url": f"{SITE}/html", "json": {"status": "healthy"}}),
        ("text", {"url": f"{SITE}/html", "contains": "Welcome"}),
        ("text", {"url": f"{SITE}/html", "absent": "log in"}),
        ("json", {"url": f"{SITE}/health", "json": {"database": {"connected": False}}}),
        ("header", {"url": f"{SITE}/health", "header": {"Content-Type": "text/html"}}),
        ("timeout", {"url": f"{SITE}/drip", "timeout": 1}),
        ("size", {"url": f"{SITE}/endless", "max_size": "1M"}),
        ("redirect", {"url": f"{SITE}/moved"}),
        ("slow", {"url": f"{SITE}/health", "max_latency": 0.001}),
        ("refused", {"url": "http://127.0.0.1:9/"}),
        ("name", {"url": "http://no-such-name.invalid/", "timeout": 5}),
        ("protocol", {"url": "http://127.0.0.1:22/"}),
        ("closed", {"url": "http://127.0.0.1:8443/"}),
        ("tls", {"url": "https://127.0.0.1:8080/health"}),
        ("tls", {"url": f"{SECURE}/health"}),
        ("tls", {"url": "https://other.internal:8443/health", "ca_file": "/etc/site/cert.pem"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_answer(server: LabHost, apply: Apply, problem: str, parameters: dict[str, Any]) -> None:
    step = ask(server, apply, **parameters)
    assert step.status is Status.FAILED
    assert step.error is not None
    assert step.error.startswith(parameters["url"])
    assert step.data["problem"] == problem, step.error


def test_status_that_is_expected(server: LabHost, apply: Apply) -> None:
    assert ask(server, apply, url=f"{SITE}/sick", status=[200, 503]).status is Status.OK


def test_redirect_is_followed_when_told(server: LabHost, apply: Apply) -> None:
    step = ask(server, apply, url=f"{SITE}/moved", redirects=1, json={"status": "healthy"})
    assert step.status is Status.OK, step.error
    assert (step.data["url"], step.data["redirects"]) == (f"{SITE}/health", [f"{SITE}/moved"])


def test_certificate_is_accepted_from_its_authority(server: LabHost, apply: Apply) -> None:
    step = ask(server, apply, url=f"{SECURE}/health", ca_file="/etc/site/cert.pem")
    assert step.status is Status.OK, step.error


def test_secret_is_sent_and_not_shown(server: LabHost, apply: Apply) -> None:
    step = ask(
        server,
        apply,
        url=f"{SITE}/token",
        contains="you sent Bearer hush-hush",
        request_headers={"Authorization": "Bearer hush-hush"},
    )
    assert step.status is Status.OK, step.error
    assert "you sent" in step.data["excerpt"]
    assert "hush" not in str(step)


def test_waits_for_a_late_site(server: LabHost, units: Units, apply: Apply) -> None:
    units.add("late", f"ExecStart=/bin/sh -c 'sleep 2; exec {website(server)} 8081'")
    units.control("start", "late")
    step = ask(server, apply, url="http://127.0.0.1:8081/health", wait=60, interval=0.2)
    assert step.status is Status.OK, step.error
    assert step.data["attempts"] > 1
