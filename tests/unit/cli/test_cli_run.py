"""`opslib run` and `opslib task`: what reaches the library, what people and files get, which exit code."""

from __future__ import annotations

import json
import re
import stat
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from opslib.cli.library import Pace, Place, Selection
from opslib.cli.main import main
from opslib.errors import InterruptedRunError, RunFailedError
from opslib.events import Notice
from opslib.host.task import Task
from opslib.result import Report, Status, StepResult
from opslib.step import Step
from support.fake_library import STEPS, FakeLibrary, ordinary

Out = pytest.CaptureFixture[str]


def failing(host: str, name: str) -> StepResult:
    """web2 fails at the second step, with a hostile text."""
    if (host, name) == ("web2", STEPS[1]):
        return StepResult(name=name, task="service", status=Status.FAILED, error="no \x1b[2J start")
    return ordinary(host, name)


def test_every_option_reaches_the_library(tmp_path: Path) -> None:
    library = FakeLibrary()
    words = "run site.yml -i a -i b --limit web:!x -t one,two -t three --skip-tags four -e k=v -e @f.yml --check --diff"
    words += " --engine ssh --forks 7 --timeout 2.5 -v --vault-password-file p1 --vault-password-file id@p2"
    assert main(words.split(), library) == 0
    target, place, pace, selection = library.calls[0]
    assert target == "site.yml"
    assert place == Place(
        inventory=("a", "b"), limit="web:!x", extra_vars=("k=v", "@f.yml"), vault_password_files=("p1", "id@p2")
    )
    assert pace == Pace(forks=7, timeout=2.5, check=True, diff=True)
    assert selection == Selection(engine="ssh", tags=("one", "two", "three"), skip_tags=("four",), verbosity=1)


def test_defaults() -> None:
    library = FakeLibrary()
    main(["run", "maintenance:weekly", "-i", "x"], library)
    assert library.calls[0] == ("maintenance:weekly", Place(inventory=("x",)), Pace(), Selection())
    assert library.calls[0][2].forks == 50


def test_progress_goes_to_stderr_and_the_summary_to_stdout(capsys: Out) -> None:
    assert main(["run", "site.yml", "-i", "x"], FakeLibrary()) == 0
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert lines[0] == "Running site.yml on 3 hosts (web1..web3), engine auto: for real"
    assert sorted(re.sub("^./", "", line) for line in lines[1:]) == [
        f"3 web{n}: changed: restart nginx.service  0.00 s" for n in (1, 2, 3)
    ]
    assert shown.out.splitlines()[0] == "Found"
    assert re.fullmatch(r"3 hosts: 3 changed in \d\.\d\d s \(exit code 0: all well\)", shown.out.splitlines()[-1])
    assert "\x1b" not in shown.out + shown.err


def test_check_is_said_before_and_after(capsys: Out) -> None:
    main(["run", "site.yml", "-i", "x", "--check"], FakeLibrary())
    shown = capsys.readouterr()
    assert shown.err.startswith("Checking site.yml on 3 hosts (web1..web3), engine auto: nothing will be changed\n")
    assert "web1: would change: restart nginx.service" in shown.err
    assert "\nWould change\n" in shown.out
    assert shown.out.splitlines()[-1].startswith("Check, nothing was changed. 3 hosts: 3 would change")


def test_verbose_shows_every_step(capsys: Out) -> None:
    main(["run", "site.yml", "-i", "x", "-v"], FakeLibrary(hosts=["web1"]))
    shown = capsys.readouterr()
    assert "web1: ok          Disks have room  disk_usage: Disks have room: all is well" in shown.err
    assert "    ok          Disks have room  disk_usage" in shown.out


def test_a_failed_host_is_2_and_an_unreachable_one_4(capsys: Out) -> None:
    assert main(["run", "site.yml", "-i", "x"], FakeLibrary(answer=failing)) == 2
    shown = capsys.readouterr()
    assert "web2: failed: nginx is running: no \\x1b[2J start" in shown.err
    assert "Failed\n  nginx is running  web2: no \\x1b[2J start\n" in shown.out
    assert main(["run", "site.yml", "-i", "x"], FakeLibrary(unreachable=["web3"])) == 4
    assert "Unreachable\n  web3: no route to host\n" in capsys.readouterr().out
    assert main(["run", "site.yml", "-i", "x"], FakeLibrary(answer=failing, unreachable=["web3"])) == 2


def test_errors_that_carry_a_report_are_shown_as_reports(capsys: Out) -> None:
    class Raising(FakeLibrary):
        kind: type[RunFailedError | InterruptedRunError] = RunFailedError

        def _run(self, *args: object) -> Report:
            report = super()._run(*args)  # type: ignore[arg-type]
            interrupted = self.kind is InterruptedRunError
            raise self.kind("it ended badly", replace(report, interrupted=interrupted))

    library = Raising(answer=failing)
    assert main(["run", "site.yml", "-i", "x"], library) == 2
    assert "3 hosts: 2 changed, 1 failed" in capsys.readouterr().out
    library.kind = InterruptedRunError
    assert main(["run", "site.yml", "-i", "x"], library) == 130
    assert "Interrupted. 3 hosts" in capsys.readouterr().out


def test_notices_are_shown(capsys: Out) -> None:
    class Noting(FakeLibrary):
        def _run(self, source: str, steps: list[str], pace: Pace, on_event, cancel) -> Report:  # type: ignore[no-untyped-def]
            on_event(Notice(text="play 2 goes to ansible-runner \x1b[31m"))
            return super()._run(source, steps, pace, on_event, cancel)

    main(["run", "site.yml", "-i", "x"], Noting())
    assert capsys.readouterr().err.startswith("play 2 goes to ansible-runner \\x1b[31m\n")


def test_json_on_stdout_is_all_there_is(capsys: Out) -> None:
    assert main(["run", "site.yml", "-i", "x", "--json", "-"], FakeLibrary(answer=failing)) == 2
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["exit_code"] == 2
    assert list(document["hosts"]) == ["web1", "web2", "web3"]
    assert shown.err == ""


def test_files_are_whole_private_and_beside_nothing_else(tmp_path: Path, capsys: Out) -> None:
    one, two = tmp_path / "r.json", tmp_path / "r.xml"
    one.write_text("old")
    one.chmod(0o644)
    words = ["run", "site.yml", "-i", "x", "--json", str(one), "--junit", str(two)]
    assert main(words, FakeLibrary(answer=failing)) == 2
    assert Report.from_dict(json.loads(one.read_text())).exit_code == 2
    assert ET.parse(two).getroot().get("failures") == "1"
    assert sorted(tmp_path.iterdir()) == [one, two]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (one, two)] == [0o600, 0o600]
    assert "Failed" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_touched(tmp_path: Path, capsys: Out) -> None:
    for path, said in ((tmp_path, "it is a folder"), (tmp_path / "no" / "r.json", "does not exist")):
        library = FakeLibrary()
        assert main(["run", "site.yml", "-i", "x", "--json", str(path)], library) == 1
        assert library.calls == []
        assert said in capsys.readouterr().err
    same = str(tmp_path / "r")
    assert main(["run", "site.yml", "-i", "x", "--json", same, "--junit", same], FakeLibrary()) == 1
    assert "both name" in capsys.readouterr().err


def test_results_are_not_lost_when_the_file_turns_out_unwritable(tmp_path: Path, capsys: Out) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    class Vanishing(FakeLibrary):
        def _run(self, *args: object) -> Report:
            folder.rename(tmp_path / "elsewhere")
            return super()._run(*args)  # type: ignore[arg-type]

    assert main(["run", "site.yml", "-i", "x", "--json", str(folder / "r.json")], Vanishing()) == 74
    shown = capsys.readouterr()
    assert f"cannot write {folder}/r.json: No such file or directory; it follows on standard output" in shown.err
    text = shown.out[: shown.out.index("\n}\n") + 3]
    assert json.loads(text)["exit_code"] == 0
    assert "Found" in shown.out


def test_junit_that_cannot_be_written_leaves_json_on_stdout_alone(tmp_path: Path, capsys: Out) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    class Vanishing(FakeLibrary):
        def _run(self, *args: object) -> Report:
            folder.rmdir()
            return super()._run(*args)  # type: ignore[arg-type]

    words = ["run", "site.yml", "-i", "x", "--json", "-", "--junit", str(folder / "r.xml")]
    assert main(words, Vanishing()) == 74
    shown = capsys.readouterr()
    assert json.loads(shown.out)["schema"] == 1
    assert "it follows on standard error" in shown.err
    assert "<testsuites" in shown.err


def test_list_hosts_and_list_steps_do_nothing(capsys: Out) -> None:
    library = FakeLibrary()
    assert main(["run", "site.yml", "-i", "x", "--list-hosts"], library) == 0
    assert capsys.readouterr().out == (
        "Weekly  3 hosts  weekly.yml:2\n  web1..web3\nRest  2 hosts  weekly.yml:9\n  web2\n  web3\n"
    )
    assert main(["run", "site.yml", "-i", "x", "--list-steps"], library) == 0
    assert capsys.readouterr().out == (
        "Weekly  3 hosts  weekly.yml:2\n  Disks have room  disk_usage\n  nginx is running  service  on web1\n"
        "Rest  2 hosts  weekly.yml:9\n"
        "  goes to ansible-runner, because it registers a result; its steps are not known beforehand\n"
    )
    assert library.calls == []
    assert main(["task", "disk_usage", "-i", "x", "--list-hosts"], library) == 0
    assert capsys.readouterr().out == "web1\nweb2\nweb3\n"


def test_color_always_and_never(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["run", "site.yml", "-i", "x", "--color", "always"], FakeLibrary(answer=failing))
    shown = capsys.readouterr()
    assert "\x1b[1;31mFailed\x1b[0m" in shown.out
    assert "\x1b[1mRunning\x1b[0m" in shown.err
    assert "\x1b[2J" not in shown.out + shown.err
    monkeypatch.setenv("NO_COLOR", "1")
    main(["run", "site.yml", "-i", "x"], FakeLibrary(answer=failing))
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


# --- opslib task ---


def the_step(library: FakeLibrary) -> Step:
    """The step that reached the library."""
    step = library.calls[0][0]
    assert isinstance(step, Step)
    assert isinstance(step.task, Task)
    return step


def test_a_task_takes_text_json_and_files(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "body.json").write_text('{"deep": [1, 2]}\n')
    (tmp_path / "text").write_text("from a file\n")
    library = FakeLibrary()
    words = ["task", "http_check", "url=http://localhost/health?a=b", f"json:=@{tmp_path}/body.json", "status:=[200]"]
    words += [f"contains=@{tmp_path}/text", "-i", "x", "--check"]
    assert main(words, library) == 0, capsys.readouterr().err
    args = the_step(library).task.args()
    assert args["url"] == "http://localhost/health?a=b"
    assert args["json"] == {"deep": [1, 2]}
    assert args["contains"] == "from a file"
    assert library.calls[0][2].check is True


def test_become() -> None:
    """As variables: an inventory's own words on sudo, and a password that is asked for, hold beside them."""
    root, app = {"ansible_become": True}, {"ansible_become": True, "ansible_become_user": "app"}
    for words, variables in (([], []), (["-b"], [root]), (["--become-user", "app"], [app])):
        library = FakeLibrary()
        assert main(["task", "disk_usage", "-i", "x", *words], library) == 0
        assert [json.loads(extra) for extra in library.calls[0][1].extra_vars] == variables
        assert the_step(library).become is None
        library = FakeLibrary()
        assert main(["run", "service:restart", "-i", "x", *words], library) == 0
        assert [json.loads(extra) for extra in library.calls[0][1].extra_vars] == variables


def test_the_heading_shows_what_was_given_but_no_secret(capsys: Out) -> None:
    library = FakeLibrary()
    words = [
        "task",
        "http_check",
        "url=http://localhost/",
        'request_headers:={"Authorization": "Bearer canary"}',
        "-i",
        "x",
    ]
    assert main(words, library) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "canary" not in shown.err + shown.out
    assert "Running http_check url=http://localhost/ request_headers:=*** on 3 hosts" in shown.err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("json:={broken canary", "json: the value is no JSON at character 2"),
        ("json:=@/no/such/file", "json: cannot read '/no/such/file': No such file or directory"),
        ("contains=@/dev/zero", "contains: /dev/zero has more than"),
        ("contains=@/", "Is a directory"),
        ("=x", "is no assignment"),
        (":=x", "is no assignment"),
    ],
)
def test_bad_values(word: str, said: str, capsys: Out) -> None:
    library = FakeLibrary()
    assert main(["task", "http_check", "url=http://localhost/", word, "-i", "x"], library) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "canary" not in shown
    assert library.calls == []


def test_the_sudo_password_is_asked_for_and_not_shown(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.prompt", lambda *_args, **_options: 'can"ary')
    library = FakeLibrary()
    assert main(["task", "disk_usage", "-i", "x", "-b", "-K"], library) == 0
    place = library.calls[0][1]
    assert json.loads(place.extra_vars[-1]) == {"ansible_become_password": 'can"ary'}
    assert "ary" not in repr(place)
    shown = capsys.readouterr()
    assert 'can"ary' not in shown.out + shown.err


def test_what_works_on_hosts_needs_an_inventory(capsys: Out) -> None:
    library = FakeLibrary()
    assert main(["task", "disk_usage"], library) == 1
    assert "disk_usage works on hosts: give their inventory with -i" in capsys.readouterr().err
    assert not library.calls
