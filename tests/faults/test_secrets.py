"""Canaries: a password and a secret variable must be found nowhere but where they belong.

While runs go on, the argument vectors of this machine and of the hosts are read from /proc again and again; afterwards
every output, and every file that a run could have written, is searched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.lab import Lab
from support.arguments import Watched
from support.canaries import files_on, files_with

CANARY = "canary-3f9a1c77e2"
PLAY = """---
- name: Use a secret
  hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Ask with a token
      opslib.runbook.http_check:
        url: http://127.0.0.1:9/{{ inventory_hostname }}
        request_headers: {X-Token: "{{ token }}"}
        timeout: 1
      ignore_errors: true
    - name: Say a secret aloud
      opslib.runbook.http_check: {url: "http://127.0.0.1:9/{{ token }}", timeout: 1}
      ignore_errors: true
    - name: Hide everything
      opslib.runbook.logrotate: {config: hidden, paths: ["/var/log/{{ token }}/*.log"]}
      no_log: true
"""
OPSLIB = [sys.executable, "-c", "import sys; from opslib.cli.main import main; sys.exit(main())"]


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_canaries_are_found_nowhere(lab: Lab, tmp_path: Path, engine: str, check: bool) -> None:
    home, out, given = tmp_path / "home", tmp_path / "out", tmp_path / "given"
    for folder in (home, out, given):
        folder.mkdir()
    (given / "play.yml").write_text(PLAY)
    (given / "hosts.yml").write_text(lab.inventory_text(user="pat"))
    password = given / "secrets.yml"
    password.touch(mode=0o600)
    password.write_text(f"token: {CANARY}\nansible_become_password: {lab.sudo_password}\nopslib_secrets: [token]\n")
    words = [CANARY, lab.sudo_password]
    command = [*OPSLIB, "run", str(given / "play.yml"), "-i", str(given / "hosts.yml"), "-e", f"@{password}"]
    command += ["--engine", engine, "--diff", "-v", "--json", str(out / "r.json"), "--junit", str(out / "r.xml")]
    command += ["--check"] if check else []
    began = (given / "play.yml").stat().st_mtime
    environ = {**os.environ, "HOME": str(home), "TMPDIR": str(out)}
    with Watched(*words) as watched:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert watched.looks > 20
    assert watched.found == set()
    for word in words:
        assert word not in done.stdout
        assert word not in done.stderr
    assert (out / "r.json").exists()
    assert (out / "r.xml").exists()
    assert files_with(words, [home, out, Path("/dev/shm"), Path("/run")], began) == []
    for host in lab.hosts:
        known = {"/etc/logrotate.d/hidden"} if not check else set()
        assert files_on(host, words) <= known
        host.run(["rm", "-f", "/etc/logrotate.d/hidden"])


def test_canary_in_a_traceback_is_masked(lab: Lab) -> None:
    from opslib import Fleet
    from support.hosts import target
    from support.probes import Mishap

    with Fleet([target(lab, lab.hosts[0], secrets=frozenset({CANARY}))]) as fleet:
        report = fleet.run([Mishap(how="raise", secret=CANARY)])
    assert CANARY not in str(report.to_dict())
    assert "internal error" in (report.hosts[lab.hosts[0].name].failure or "")
