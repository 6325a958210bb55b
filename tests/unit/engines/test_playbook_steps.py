"""What the compiler makes of single tasks: keywords, users, connections, secrets, and errors known beforehand."""

# ruff: noqa: E501 - what is one line in a playbook is one line here

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opslib.engines import ansible_core
from opslib.engines.playbook import load
from opslib.engines.work import Compiled, HostWork
from opslib.errors import InventoryError, PlaybookError, UsageError
from opslib.inventory import Inventory
from opslib.result import Status, StepResult
from opslib.step import Become, Step
from support import oracle

Loader = Callable[..., Compiled]
TASK = "opslib.runbook.http_check: {url: http://h/a}"
HOSTS = "[web]\nweb1\nweb2\n"


@pytest.fixture
def loaded(tmp_path: Path, collections: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Load a playbook for web1 and web2."""
    (tmp_path / "collections").symlink_to(collections)
    monkeypatch.chdir(tmp_path)

    def load_it(
        play: str,
        files: dict[str, str] | None = None,
        hosts: str = HOSTS,
        inventory: dict[str, Any] | None = None,
        **options: Any,
    ) -> Compiled:
        oracle.write(tmp_path, {"hosts.ini": hosts, "play.yml": play, **(files or {})})
        with load("play.yml", Inventory.load("hosts.ini", **(inventory or {})), **options) as compiled:
            return compiled

    return load_it


def play(*lines: str, keywords: str = "") -> str:
    """Return a play of one task with keywords, its first keyword on line 5."""
    body = "".join(f"      {line}\n" for line in lines)
    return f"- hosts: web\n  {keywords or 'gather_facts: false'}\n  tasks:\n    - name: it\n{body}"


def works(compiled: Compiled, number: int = 0) -> dict[str, HostWork]:
    chosen = compiled.plays[number]
    assert chosen.obstacle is None, chosen.obstacle
    return {work.target.name: work for work in compiled.work(chosen, chosen.hosts)}


def step(compiled: Compiled, host: str = "web1") -> Step:
    (item,) = works(compiled)[host].items
    assert isinstance(item, Step)
    return item


def known(compiled: Compiled, host: str = "web1") -> StepResult:
    (item,) = works(compiled)[host].items
    assert isinstance(item, StepResult)
    return item


def test_a_step_without_keywords(loaded: Loader) -> None:
    found = step(loaded(play(TASK)))
    assert found.task.args()["url"] == "http://h/a"
    assert found == Step(task=found.task, name="it", become=False, id=0, position=2)


@pytest.mark.parametrize(
    ("keyword", "attribute", "value"),
    [
        ("timeout: 7", "timeout", 7.0),
        ('timeout: "{{ 3 + 4 }}"', "timeout", 7.0),
        ("ignore_errors: true", "ignore_errors", True),
        ("ignore_errors: \"{{ inventory_hostname == 'web1' }}\"", "ignore_errors", True),
        ("no_log: yes", "no_log", True),
        ("check_mode: true", "check", True),
        ("check_mode: false", "check", None),
        ("check_mode: \"{{ 'yes' }}\"", "check", True),
    ],
)
def test_keywords(loaded: Loader, keyword: str, attribute: str, value: object) -> None:
    assert getattr(step(loaded(play(TASK, keyword))), attribute) == value


def test_check_mode_overrides_that_of_the_run(loaded: Loader) -> None:
    assert step(loaded(play(TASK, "check_mode: false"), check=True)).check is False
    assert step(loaded(play(TASK, "check_mode: true"), check=True)).check is None


def test_ids_are_unique_and_positions_shared_by_a_loop_and_by_hosts(loaded: Loader) -> None:
    compiled = loaded(
        "- hosts: web\n  gather_facts: false\n  tasks:\n"
        f"    - {{{TASK}, when: inventory_hostname == 'web2'}}\n"
        f"    - {{{TASK}, loop: [1, 2]}}\n    - {{{TASK}}}\n"
    )
    rows = {
        name: [(item.id, item.position) for item in work.items if isinstance(item, Step)]
        for name, work in works(compiled).items()
    }
    assert rows == {"web1": [(0, 3), (1, 3), (2, 4)], "web2": [(0, 2), (1, 3), (2, 3), (3, 4)]}


def test_what_is_known_has_the_place_of_its_task_on_all_hosts(loaded: Loader) -> None:
    """Files to include that are missing fail before any task of those that are there."""
    compiled = loaded(
        "- hosts: web\n  gather_facts: false\n  tasks:\n"
        "    - include_tasks: '{{ inventory_hostname }}.yml'\n      loop: [a, b]\n      when: item == 'a'\n",
        files={"web1.yml": f"- {TASK}\n"},
    )
    first, second = ([(item.name, item.position) for item in work.items] for work in works(compiled).values())
    assert first == [("include_tasks (item=b)", 2), ("opslib.runbook.http_check", 3)]
    assert second == [("include_tasks (item=b)", 2), ("include_tasks", 2)]


def test_a_loop_with_no_log_hides_its_labels(loaded: Loader) -> None:
    compiled = loaded(play(TASK, "loop: [canary-1, canary-2]", "no_log: true"))
    assert [item.name for item in works(compiled)["web1"].items] == ["it (item=?)", "it (item=?)"]


def test_labels_are_bounded_and_without_terminal_control(loaded: Loader) -> None:
    compiled = loaded(play(TASK, 'loop: ["\\e[31mred", "{{ \'x\' * 5000 }}"]'))
    first, second = works(compiled)["web1"].items
    assert first.name == "it (item=red)"
    assert len(second.name) < 250


@pytest.mark.parametrize(
    ("lines", "become"),
    [
        (["become: true"], Become()),
        (["become: true", "become_user: bob", "become_flags: -H -S", "become_exe: /usr/bin/sudo"],
         Become(user="bob", exe="/usr/bin/sudo", flags=("-H", "-S"))),
        (["become: true", "vars: {ansible_become_user: eve, ansible_become_password: pw}"],
         Become(user="eve", password="pw")),
        (["become: false", "vars: {ansible_become: true}"], Become()),
        (["become: true", "vars: {ansible_become: false}"], False),
        (["become_user: bob"], False),
    ],
)  # fmt: skip
def test_becoming_another_user(loaded: Loader, lines: list[str], become: Become | bool) -> None:
    assert step(loaded(play(TASK, *lines))).become == become


def test_becoming_the_user_that_an_item_names(loaded: Loader) -> None:
    compiled = loaded(play(TASK, "loop: [amy, bob]", "become: true", 'vars: {ansible_become_user: "{{ item }}"}'))
    users = [item.become.user for item in works(compiled)["web1"].items if isinstance(item.become, Become)]  # type: ignore[union-attr]
    assert users == ["amy", "bob"]


@pytest.mark.parametrize(
    ("keyword", "carried"), [("any_errors_fatal: true", False), ("max_fail_percentage: 5", False), ("serial: 1", True)]
)
def test_forced_handlers_where_hosts_share_a_fate_are_left_to_ansible(
    loaded: Loader, keyword: str, carried: bool
) -> None:
    text = play(TASK, "notify: h", keywords=f"gather_facts: false\n  force_handlers: true\n  {keyword}")
    (found,) = loaded(f"{text}  handlers: [{{name: h, {TASK}}}]\n").plays
    assert (found.obstacle is None) is carried
    assert carried or "play 'web' has handlers that run after a failure (force_handlers)" in str(found.obstacle)


def test_a_condition_that_is_false_is_told(loaded: Loader) -> None:
    found = known(loaded(play(TASK, "when: [true, inventory_hostname == 'web9', nosuch]")))
    assert (found.name, found.task, found.status) == ("it", "http_check", Status.SKIPPED)
    assert found.reason == "the condition is false: inventory_hostname == 'web9'"


def test_the_connection_of_a_play_is_that_of_its_targets(loaded: Loader) -> None:
    compiled = loaded(
        play(TASK, keywords="remote_user: bob\n  port: 2222"), hosts="[web]\nweb1 ansible_user=eve\nweb2\n"
    )
    targets = {name: work.target for name, work in works(compiled).items()}
    assert (targets["web1"].user, targets["web1"].port) == ("eve", 2222)
    assert (targets["web2"].user, targets["web2"].port) == ("bob", 2222)
    assert works(loaded(play(TASK, keywords="connection: local")))["web1"].target.carrier == "local"


WRONG = [
    (["opslib.runbook.http_check: {url: http://h/a, urll: x}"], "http_check has no parameter 'urll'"),
    (["opslib.runbook.http_check: {url: 5}"], "http_check: url: '5' is no http or https URL"),
    (["opslib.runbook.http_check: {}"], "http_check: url is required"),
    (["opslib.runbook.http_check: words"], "Task args must resolve to a 'dict'"),
    (["opslib.runbook.http_check: {1: 2}"], "http_check: 1 is no name of a parameter"),
    (['opslib.runbook.http_check: {url: "http://{{ nosuch }}"}'], "'nosuch' is undefined"),
    (['opslib.runbook.http_check: {url: "http://{{ nosuch"}'], "Syntax error in template"),
    ([TASK, "when: nosuch"], "'nosuch' is undefined"),
    ([TASK, "when: \"'text'\""], "Conditionals must have a boolean result"),
    ([TASK, 'loop: "{{ 5 }}"'], "The `loop` value must resolve to a 'list', not 'int'"),
    ([TASK, "loop: [1]", 'loop_control: {label: "{{ nosuch }}"}'], "'nosuch' is undefined"),
    ([TASK, "become: true", "become_user: -oProxyCommand=x"], "'-oProxyCommand=x' begins with '-'"),
    ([TASK, "become: true", 'become_user: "{{ nosuch }}"'], "'nosuch' is undefined"),
    ([TASK, "timeout: soon"], "timeout: The value 'soon' could not be converted to 'int'"),
    ([TASK, 'timeout: "{{ nosuch }}"'], "'nosuch' is undefined"),
    ([TASK, "notify: nobody"], "notifies 'nobody', but no handler has that name or listens to it"),
    (["include_tasks: nosuch.yml"], "there is no file"),
    (["include_role: {name: nosuch}"], "the role 'nosuch' was not found"),
]


@pytest.mark.parametrize(("lines", "said"), WRONG)
def test_what_no_host_could_do_is_refused_beforehand(loaded: Loader, lines: list[str], said: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        loaded(play(*lines))
    text = str(caught.value)
    assert said in text
    assert "task 'it'" in text
    assert "play.yml:" in text


@pytest.mark.parametrize(("lines", "said"), [*WRONG[:9], *WRONG[11:13]])
def test_a_task_that_no_host_does_is_not_looked_at(loaded: Loader, lines: list[str], said: str) -> None:
    if not any(line.startswith("when") for line in lines):
        compiled = loaded(play(*lines, "when: false"))
        assert all(item.status is Status.SKIPPED for item in works(compiled)["web1"].items), said  # type: ignore[union-attr]


@pytest.mark.parametrize(("lines", "said"), WRONG[:13])
def test_a_failure_to_be_ignored_is_a_result(loaded: Loader, lines: list[str], said: str) -> None:
    found = known(loaded(play(*lines, "ignore_errors: true")))
    assert (found.status, found.ignored) == (Status.FAILED, True)
    assert found.error is not None
    assert said in found.error


def test_what_only_some_hosts_cannot_do_fails_there(loaded: Loader) -> None:
    compiled = loaded(
        play('opslib.runbook.http_check: {url: "{{ u }}"}') + f"    - {TASK}\n",
        {"host_vars/web1.yml": "u: ftp://x\n", "host_vars/web2.yml": "u: http://x/\n"},
    )
    (failed,) = works(compiled)["web1"].items
    assert isinstance(failed, StepResult)
    assert failed.status is Status.FAILED
    assert failed.error == "http_check: url: 'ftp://x' is no http or https URL"
    assert len(works(compiled)["web2"].items) == 2


def test_a_host_that_skips_does_not_save_the_others(loaded: Loader) -> None:
    with pytest.raises(PlaybookError, match=r"on host web2, .*play\.yml:4: http_check: url"):
        loaded(play("opslib.runbook.http_check: {url: x}", "when: inventory_hostname == 'web2'"))


def test_the_second_play_is_looked_at_before_the_first_is_run(loaded: Loader) -> None:
    with pytest.raises(PlaybookError, match="http_check: url"):
        loaded(play(TASK) + play("opslib.runbook.http_check: {url: x}"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Empty playbook"),
        ("a: b\n", "must be a list of plays, got a dict"),
        ("- a\n", "must be either valid plays"),
        ("- hosts: [\n", "YAML parsing failed"),
        ("- {hosts: web, foo: 1}\n", "'foo' is not a valid attribute for a Play"),
        ("- {hosts: web, tasks: [{nosuch: }]}\n", "couldn't resolve module/action 'nosuch'"),
        ("- {hosts: web, tasks: [{opslib.runbook.servce: }]}\n", "there is no task opslib.runbook.servce; did you mean service"),
        ("- {hosts: web, tasks: [{debug: , fail: }]}\n", "conflicting action statements"),
        ("- {hosts: web, roles: [nosuch]}\n", "the role 'nosuch' was not found"),
        ("- {hosts: web, tasks: [{import_tasks: nosuch.yml}]}\n", "there is no file"),
        ("- import_playbook: play.yml\n", "without end"),
        ("- {hosts: web, tasks: [{include_tasks: self.yml}]}\n", "without end"),
        ("- {hosts: web, serial: some, tasks: []}\n", "serial: 'some' is no number and no percentage"),
        ("- {hosts: web, order: some, tasks: []}\n", "Invalid 'order'"),
        ("- {hosts: web, max_fail_percentage: some, tasks: []}\n", "max_fail_percentage"),
        ("- {hosts: web, vars: {a-b: 1}, tasks: []}\n", "Invalid variable name 'a-b'"),
        ("- {hosts: '{{ nosuch }}', tasks: []}\n", "'nosuch' is undefined"),
    ],
)  # fmt: skip
def test_wrong_playbooks(loaded: Loader, content: str, said: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        loaded(content, {"self.yml": "- include_tasks: self.yml\n"})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_playbook_that_is_not_text(loaded: Loader, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(HOSTS)
    (tmp_path / "play.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlaybookError), load("play.yml", Inventory.load("hosts.ini")):
        pass


def test_no_host_at_all_is_an_error_and_one_play_without_is_none(loaded: Loader) -> None:
    with pytest.raises(InventoryError, match=r"no host matches 'wbe, nobody' in .*; did you mean web"):
        loaded("- {hosts: wbe, tasks: []}\n- {hosts: nobody, tasks: []}\n")
    compiled = loaded("- {hosts: nobody, tasks: []}\n" + play(TASK))
    assert [each.hosts for each in compiled.plays] == [(), ("web1", "web2")]
    with pytest.raises(InventoryError, match="no host matches"):
        loaded(play(TASK), limit="!web")


@pytest.mark.parametrize("limit", ["", "a\nb", "@/nosuch", "~(", "nosuch"])
def test_wrong_limits(loaded: Loader, limit: str) -> None:
    with pytest.raises(InventoryError):
        loaded(play(TASK), limit=limit)


@pytest.mark.parametrize(
    "extra", [["x"], ["=x"], ["/etc/passwd"], ["@/nosuch"], ["[1]"], ["{a"], [5], [""], {"a b": 1}, {"a": object()}]
)
def test_wrong_extra_variables(loaded: Loader, extra: Any) -> None:
    with pytest.raises(UsageError):
        loaded(play(TASK), extra_vars=extra)


def test_tags_must_be_text(loaded: Loader) -> None:
    with pytest.raises(UsageError, match="tag 5 is no text"):
        loaded(play(TASK), tags=[5])


VAULT_PASSWORD = "canary-vault-password"


def vaulted(text: str) -> str:
    """Return a text as Ansible's vault has it, as a value in YAML."""
    secret = ansible_core.VaultSecret(VAULT_PASSWORD.encode())
    from ansible.parsing.vault import VaultLib

    return str(VaultLib([("default", secret)]).encrypt(text.encode(), secret, salt="salt" * 8).decode())


def test_secrets_are_found_and_kept_out_of_what_is_shown(loaded: Loader) -> None:
    inline = "token: !vault |\n" + "".join(f"  {line}\n" for line in vaulted("canary-inline").splitlines())
    compiled = loaded(
        """
        - hosts: web
          gather_facts: false
          tasks:
            - {name: "it is {{ token }}", opslib.runbook.http_check: {url: "http://h/{{ token }}"}, loop: ["{{ marked }}"]}
            - {name: told, debug: {msg: "{{ token }} {{ filed }} {{ marked }} {{ deep }}"}}
            - {name: skipped, debug: , when: token == 'x' and 'canary-inline' == 'y'}
            - {name: failed, fail: {msg: "{{ filed }}"}, ignore_errors: true}
        """,
        {
            "group_vars/web/a.yml": inline,
            "group_vars/web/b.yml": vaulted("filed: canary-filed\nlist: {deep: [canary-deep]}\n"),
            "group_vars/web/c.yml": "opslib_secrets: [marked]\nmarked: canary-{{ 'marked' }}\ndeep: '{{ list.deep[0] }}'\n",
        },
        inventory={"vault_password": VAULT_PASSWORD},
    )
    work = works(compiled)["web1"]
    wanted = {"canary-inline", "canary-filed", "canary-deep", "canary-marked"}
    assert wanted <= compiled.secrets
    assert {"canary-inline", "canary-marked"} <= work.target.secrets
    shown = [(item.name, getattr(item, "reason", ""), getattr(item, "error", "")) for item in work.items]
    assert "canary" not in repr(shown).replace("canary-' ~", "")
    first = work.items[0]
    assert isinstance(first, Step)
    assert first.name == "it is *** (item=***)"
    assert first.task.args()["url"] == "http://h/canary-inline"


def test_secrets_of_a_play_that_goes_to_ansible_runner_are_found_too(loaded: Loader) -> None:
    def inline(name: str, text: str, indent: str = "") -> str:
        return f"{name}: !vault |\n" + "".join(f"{indent}  {line}\n" for line in vaulted(text).splitlines())

    compiled = loaded(
        "- hosts: web\n  gather_facts: false\n  vars: {played: canary-play, opslib_secrets: [marked, played]}\n"
        '  tasks:\n    - command: "true"\n      vars:\n        ' + inline("own", "canary-task", " " * 8),
        {
            "group_vars/web/a.yml": inline("token", "canary-inline"),
            "group_vars/web/b.yml": "marked: canary-{{ 'marked' }}\nansible_become_password: canary-sudo\n",
        },
        inventory={"vault_password": VAULT_PASSWORD},
    )
    assert compiled.plays[0].obstacle is not None
    wanted = {"canary-inline", "canary-marked", "canary-play", "canary-sudo", "canary-task"}
    assert wanted <= compiled.secrets


def test_secrets_in_what_a_play_includes_when_its_turn_comes_are_found_too(loaded: Loader, tmp_path: Path) -> None:
    """As far as the names of files can be told beforehand; those of other files can be asked for later."""
    names = ["beside", "templated", "looped", "folder", "unknown"]
    compiled = loaded(
        """
        - hosts: web
          gather_facts: false
          tasks:
            - include_vars: beside.yml
            - include_vars: {file: "{{ templated }}"}
            - include_vars: "{{ item }}"
              loop: [looped.yml]
            - include_vars: {dir: folder}
            - {command: "true", register: said}
            - include_vars: "{{ said.stdout }}"
            - include_vars: nosuch.yml
        """,
        {
            "beside.yml": vaulted("a: canary-beside"),
            "vars/templated.yml": vaulted("a: {b: [canary-templated]}"),
            "looped.yml": "a: !vault |\n" + "".join(f"  {line}\n" for line in vaulted("canary-looped").splitlines()),
            "folder/deep/any.yml": vaulted("a: canary-folder"),
            "elsewhere/any.yml": vaulted("a: canary-unknown"),
            "group_vars/web/b.yml": "templated: templated.yml\n",
        },
        inventory={"vault_password": VAULT_PASSWORD},
    )
    assert compiled.plays[0].obstacle is not None
    assert [name for name in names if f"canary-{name}" in compiled.secrets] == names[:4]
    lines = (tmp_path / "play.yml").read_text().splitlines()
    known = [number for number, line in enumerate(lines, 1) if "include_vars" in line][:4]
    assert compiled.hidden.places == {f"{tmp_path}/play.yml:{number}" for number in known}
    compiled.hidden.learn(tmp_path / "elsewhere")
    assert "canary-unknown" in compiled.secrets


def test_an_error_does_not_tell_a_secret(loaded: Loader) -> None:
    with pytest.raises(PlaybookError) as caught:
        loaded(
            play('opslib.runbook.http_check: {url: "{{ token }}"}'),
            {"group_vars/web/b.yml": vaulted("token: canary-filed\n")},
            inventory={"vault_password": VAULT_PASSWORD},
        )
    assert "'***' is no http or https URL" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_vault_without_its_password_is_named(loaded: Loader, tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"vault secrets found: give the file .*b\.yml"):
        loaded(play(TASK), {"group_vars/web/b.yml": vaulted("a: b\n")})


def test_ansible_leaves_no_traces(
    loaded: Loader, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threading.active_count()
    before = (ansible_core.context.CLIARGS, ansible_core.VaultSecretsContext._current)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    loaded(
        """
        - hosts: web
          gather_facts: false
          vars_files: [nosuch.yml, "{{ nosuch }}.yml"]
          tasks:
            - {opslib.runbook.http_check: {url: http://h/a}, loop: [1], vars: {item: 2}, name: "{{ nosuch }}"}
            - {debug: {msg: "{{ play_hosts }}"}, when: false}
        """
    )
    assert (ansible_core.context.CLIARGS, ansible_core.VaultSecretsContext._current) == before
    assert ansible_core.Display()._final_q is None
    assert ansible_core.AnsibleCollectionConfig.default_collection is None
    assert threading.active_count() == threads
    assert list((tmp_path / "tmp").iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_importing_ansible_is_silent_and_leaves_the_home_and_the_streams_alone(tmp_path: Path) -> None:
    program = (
        "import sys; before = sys.stdout.errors, 'write' in vars(sys.stdout.buffer)\n"
        "from opslib.engines import playbook\n"
        "assert before == (sys.stdout.errors, 'write' in vars(sys.stdout.buffer))\n"
        "import os; assert 'ANSIBLE_LOCAL_TEMP' not in os.environ"
    )
    env = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    env.pop("ANSIBLE_LOCAL_TEMP", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_locale_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    program = (
        "import sys; sys.getfilesystemencoding = lambda: 'iso8859-1'\n"
        "from opslib.errors import MissingError\n"
        "try:\n    from opslib.engines import ansible_core\n"
        "except MissingError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "ansible-core needs a locale in UTF-8, this one is in iso8859-1; set LC_ALL=C.UTF-8\n"
