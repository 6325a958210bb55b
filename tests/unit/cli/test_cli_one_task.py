"""A single task goes through ansible-runner too, with its parameters as they were given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from opslib.cli.main import main

TRICKY = {
    "SUM": "{{ 6 * 7 }}",
    "SECTION": "{% if x %}",
    "REMARK": "{# no #}",
    "BRACES": "{{{ {a} }}",
    "NUMBER": "42",
    "TOKEN": "canary-of-one-task",
}


def test_one_task_by_ansible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts, path = tmp_path / "hosts.yml", tmp_path / "env"
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts.write_text(json.dumps({"all": {"hosts": {"here": here}}}))
    words = ["task", "env_file", f"path={path}", f"set:={json.dumps(TRICKY)}", "--engine", "ansible", "-i", str(hosts)]
    assert main([*words, "--check"]) == 0
    assert not path.exists()
    assert main([*words, "--json", "-"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out[shown.out.index("{\n") :])
    assert (document["engine"], document["source"], document["hosts"]["here"]["status"]) == (
        "ansible",
        "env_file",
        "changed",
    )
    rows = dict(line.partition("=")[::2] for line in path.read_text().splitlines())
    assert {key: value.strip("\"'") for key, value in rows.items()} == TRICKY
    assert "canary" not in shown.out + shown.err
    assert main(words) == 0
    assert "is as it should be" in capsys.readouterr().out
