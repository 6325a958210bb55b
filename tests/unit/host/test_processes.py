"""A process is named by its program and script, and never by a secret."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.system import processes


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["/usr/bin/python3", "/opt/t/web.py", "8001"], "python3 /opt/t/web.py"),
        (["/srv/venv/bin/python", "/srv/venv/bin/uvicorn", "app:app"], "python /srv/venv/bin/uvicorn"),
        (["python3", "-c", "password='x'"], "python3"),
        (["python3.11", "-ISBc", "code"], "python3.11"),
        (["python", "-m", "uvicorn", "app:app", "--token", "s"], "python -m uvicorn"),
        (["python", "-Im", "gunicorn"], "python -m gunicorn"),
        (["python", "-W", "ignore", "-Xdev", "a.py"], "python a.py"),
        (["python"], "python"),
        (["java", "-Dpw=x", "-cp", "/a:/b", "com.acme.Main", "secret"], "java com.acme.Main"),
        (["java", "-Xmx1g", "-jar", "/srv/a.jar", "pw"], "java -jar /srv/a.jar"),
        (["node", "--max-old-space-size=4096", "-r", "dotenv/config", "server.js"], "node server.js"),
        (["node", "--inspect", "server.js"], "node server.js"),
        (["node", "--token", "abc.def", "server.js"], "node"),
        (["node", "-e", "code"], "node"),
        (["node", "--eval", "code.js"], "node"),
        (["bash", "-lc", "mysql -psecret"], "bash"),
        (["bash", "-o", "pipefail", "run.sh"], "bash run.sh"),
        (["sh", "-ec", "code"], "sh"),
        (["-bash"], "bash"),
        (["perl", "-ne", "code", "file"], "perl"),
        (["ruby", "-Ilib", "x.rb"], "ruby x.rb"),
        (["php", "-d", "memory_limit=1", "x.php"], "php x.php"),
        (["python3", "https://user:secret@host/x"], "python3"),
        (["python3", "TOKEN=secret"], "python3"),
        (["mysqld", "--password=x"], "mysqld"),
        (["curl", "-u", "user:secret", "https://host"], "curl"),
        (["nginx: worker process"], "nginx: worker process"),
        (["postgres: alice shop 10.1.2.3(555) SELECT"], "postgres: alice shop"),
        (["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"], "sshd: /usr/sbin/sshd"),
        (["app: token=secret"], "app:"),
        (["/opt/chrome --password secret"], "chrome"),
        (["/opt/app secret"], "app"),
        (["python3", "/" + "x" * 300], "python3 /" + "x" * 108 + "..."),
        (["/bin/\x1b[31mred"], "\\x1b[31mred"),
        ([""], "name"),
        (["-"], "name"),
        ([], "name"),
    ],
)
def test_a_command_in_few_words(argv, shown):
    assert processes.command(argv, "name") == shown


words = st.lists(st.text(st.characters(blacklist_characters="\0"), max_size=20), max_size=8)


@given(words, st.sampled_from(["python3", "node", "java", "bash", "perl", "/x/mysqld", "title: of"]))
def test_any_arguments_give_one_short_printable_line(args, program):
    shown = processes.command([program, *args], "name")
    assert shown.isprintable()
    assert len(shown) <= processes.LONGEST


@given(words, st.sampled_from(["curl", "/usr/sbin/mysqld", "myapp"]))
def test_a_program_shows_no_argument_at_all(args, program):
    assert processes.command([program, *args], "name") == program.rsplit("/", 1)[-1]


@pytest.mark.parametrize(
    ("cmdline", "argv"),
    [
        (b"", []),
        (b"\0\0", []),
        (b"a\0b c\0", ["a", "b c"]),
        (b"a\0\0b\0", ["a", "", "b"]),
        (b"nginx: worker process\0\0\0\0", ["nginx: worker process"]),
        (b"\xff\0", ["\udcff"]),
    ],
)
def test_arguments(cmdline, argv):
    assert processes.arguments(cmdline) == argv


def test_our_own_process_has_a_name():
    assert processes.commands([os.getpid()])[os.getpid()]
    assert processes.commands([]) == {}
    assert processes.commands([0x7FFFFFFF]) == {0x7FFFFFFF: ""}


def test_arguments_that_cannot_be_read_are_done_without(monkeypatch):
    monkeypatch.setattr(processes.apart, "ask", lambda _question, items, _timeout: [None] * len(items))
    with open("/proc/self/comm") as comm:
        assert processes.commands([os.getpid()]) == {os.getpid(): comm.read().strip()}


def test_users_have_names_and_else_numbers(monkeypatch):
    monkeypatch.setattr(processes.apart, "ask", lambda _question, items, _timeout: [None] * len(items))
    assert processes.users([0, 3999999999, 0]) == {0: "root", 3999999999: "3999999999"}


def test_a_file_of_a_process_that_is_gone_is_empty():
    assert processes.read(0x7FFFFFFF, "statm") == b""
    assert os.getpid() in processes.pids()
