"""Which hosts answer, asked of all at once before a suite is run: a dead one costs its time once, not in each test."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

from opslib.host.words import printable

__all__ = ["PATIENCE", "silent", "with_silent"]

PATIENCE = 20
_AT_ONCE = 50
_FAILED = 255  # what ssh(1) ends with when it is ssh itself that failed


def silent(names: Sequence[str], config: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return why ssh does not get to hosts, by their names in its configuration; nothing of those that answer."""
    if not names:
        return {}
    with ThreadPoolExecutor(min(len(names), _AT_ONCE)) as pool:
        words = pool.map(lambda name: _why(name, config, environment), names)
        return {name: why for name, why in zip(names, words, strict=True) if why}


def _why(name: str, config: Path, environment: Mapping[str, str]) -> str:
    command = ["ssh", "-F", str(config), "-o", f"ConnectTimeout={PATIENCE}", "--", name, "true"]
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            timeout=2 * PATIENCE,  # logging in takes time too
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {2 * PATIENCE} seconds"
    if done.returncode != _FAILED:
        return ""
    return printable((done.stderr.strip().splitlines() or ["ssh does not say why"])[-1])


def with_silent(report: str, hosts: Mapping[str, str]) -> str:
    """Return a JUnit report with an error for each host that does not answer. report: pytest's, or empty."""
    if not hosts:
        return report
    root = ET.fromstring(report) if report else ET.Element("testsuites")  # noqa: S314 - pytest's own
    count = str(len(hosts))
    suite = ET.SubElement(root, "testsuite", name="unreachable", tests=count, errors=count, failures="0", skipped="0")
    for name, why in hosts.items():
        case = ET.SubElement(suite, "testcase", classname="unreachable", name=name)
        ET.SubElement(case, "error", message=why).text = why
    return ET.tostring(root, encoding="unicode", xml_declaration=True)
