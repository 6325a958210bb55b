"""A configuration is written so that logrotate reads what was meant, and what logrotate says is understood."""

from __future__ import annotations

import pathlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.logs import rotate_text as text
from opslib.host.params import ParamError

DATA = pathlib.Path(__file__).parent / "data"


def said(name, **names):
    return text.verdict((DATA / ("logrotate_%s.txt" % name)).read_text(), names)


# What logrotate 3.21.0 of Debian 12 says; see each capture


def test_an_option_it_does_not_know_is_an_error_though_it_exits_with_0():
    verdict = said("unknown_option")
    assert verdict.errors == ["/etc/logrotate.d/app:2 unknown option 'dayly' -- ignoring line"]
    assert verdict.read == ["/etc/logrotate.conf", "/etc/logrotate.d/app"]
    assert verdict.considered == {"/srv/app/logs/a.log": "log has already been rotated"}


def test_two_configurations_of_one_log():
    verdict = said("duplicate")
    assert verdict.errors == [
        "nginx:1 duplicate log entry for /srv/app/logs/a.log",
        "found error in file nginx, skipping",
    ]
    assert verdict.read == ["/etc/logrotate.conf", "app", "nginx"]


def test_a_forced_run_says_which_logs_it_would_rotate():
    verdict = said("forced")
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert verdict.considered == {
        "/srv/app/logs/a.log": "rotate",
        "/srv/app/logs/empty.log": "log is empty",
        "/srv/app/logs/none.log": "missing",
    }


def test_a_folder_that_others_may_write_to():
    verdict = said("insecure_folder")
    assert len(verdict.errors) == 1 and "insecure permissions" in verdict.errors[0]
    assert verdict.considered == {"/srv/app/logs/a.log": "error"}


def test_a_file_that_it_ignores():
    verdict = said("wrong_mode")
    assert verdict.errors == ["Ignoring /etc/logrotate.d/app because it is writable by group or others."]
    assert verdict.warnings == ["Potentially dangerous mode on /etc/logrotate.d/app: 0666"]
    assert verdict.read == []


def test_a_script_without_end():
    assert said("open_script").errors == [
        "/etc/logrotate.d/app:prerotate, postrotate or preremove without endscript",
    ]


def test_the_longer_of_two_names_is_replaced_first():
    assert text.verdict("error: /proc/1/fd/12 x", {"/proc/1/fd/1": "main", "/proc/1/fd/12": "app"}).errors == ["app x"]


@given(st.text())
def test_no_output_is_too_strange(noise):
    verdict = text.verdict(noise + "\nerror: last\n" + noise, {})
    assert "last" in verdict.errors


# Writing


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/var/log/app/*.log", "/var/log/app/*.log"),
        ("/srv/my app/a.log", '"/srv/my app/a.log"'),
        ("/srv/o'neill/#1$HOME~.log", '"/srv/o\'neill/#1$HOME~.log"'),
        ("/srv/\u00fc.log", '"/srv/\u00fc.log"'),
        ("//srv/./logs//a.log/", "/srv/logs/a.log"),
    ],
)
def test_paths_are_quoted_when_they_must_be(path, written):
    assert text.quote(text.LogPath()(path)) == written


@pytest.mark.parametrize(
    "path",
    [
        '/a"b',
        "/a\\b",
        "/a{b}",
        "/a{b,c}.log",
        "/a\tb",
        "/a\nb",
        "/a\0b",
        "/a\x1b[1m",
        "/a\udcffb",
        "/a\ud800",
        "a.log",
        "~/a",
    ]
    + ["/a/../b", "/", "//", "", "/" + "x" * 5000, 5, None, ["/a"], "/a\u2028b", "/a\xa0b"],
)
def test_a_path_that_cannot_be_written_is_refused(path):
    with pytest.raises(ParamError):
        text.LogPath()(path)


@given(st.text(st.characters(blacklist_categories=("Cs",))).map(lambda part: "/" + part))
def test_a_path_that_is_taken_reads_back_as_it_was(path):
    try:
        path = text.LogPath()(path)
    except ParamError:
        return
    assert shlex.split(text.quote(path)) == [path]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("systemctl kill -s HUP app", ["systemctl kill -s HUP app"]),
        ("a, b\n\tc", ["a, b", "\tc"]),
        (["cat <<E", " x", "E"], ["cat <<E", " x", "E"]),
        (["echo endscript", "# endscript is near"], ["echo endscript", "# endscript is near"]),
    ],
)
def test_a_script_is_taken_as_it_is(given, lines):
    assert text.Script()(given) == lines
    assert text.Script()(lines) == lines


@pytest.mark.parametrize(
    "script",
    [
        "endscript",
        "true\n  endscript",
        ["\tendscript"],
        ["endscript; rm -rf /"],
        ["endscript2"],
        ["a\nendscript"],
        ["a\rb"],
    ]
    + ["a\0b", ["a\x1b[1m"], "", [], [""], [" ", "\t"], 5, None, {"a": 1}, [5], ["a\udcff"], ["x"] * 501, "x" * 70000],
)
def test_a_script_that_would_not_stay_one_is_refused(script):
    with pytest.raises(ParamError):
        text.Script()(script)


@pytest.mark.parametrize(
    ("size", "word"),
    [(1, "1"), (1023, "1023"), (1024, "1k"), (1536, "1536"), (100 << 20, "100M"), (3 << 30, "3G"), (0, "0")],
)
def test_sizes_are_written_in_the_largest_unit_that_fits(size, word):
    assert text.size_word(size) == word


@given(st.integers(0, 1 << 50))
def test_no_size_is_rounded(size):
    word = text.size_word(size)
    units = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    assert int(word.rstrip("kMG")) * units.get(word[-1], 1) == size


def test_a_whole_file():
    written = text.render(["/a/*.log", "/b c.log"], ["daily", "rotate 3"], ["cat <<E", "x", "E"])
    assert written == text.MANAGED + (
        '/a/*.log\n"/b c.log"\n{\n    daily\n    rotate 3\n    postrotate\ncat <<E\nx\nE\n    endscript\n}\n'
    )


# The main configuration

MAIN = """# see "man logrotate" for details
weekly
rotate 4
su root adm
include /etc/logrotate.d
#include /etc/other
/var/log/wtmp {
    missingok
    postrotate
        include /etc/logrotate.d
        }
    endscript
    minsize 1M
}
"/var/log/my log" ~/x {}
/var/log/a
/var/log/b
{
    daily
}
compress
    include=/etc/more/
"""


def test_the_global_directives_are_told_from_sections():
    assert text.directives_only(MAIN) == "weekly\nrotate 4\nsu root adm\ncompress\n"
    assert text.directives_only("") == ""
    assert text.directives_only("postrotate\n/x {\nendscript\ndaily") == "postrotate\n/x {\nendscript\ndaily\n"


@given(st.text("/{}\n #abinclude\"'"))
def test_any_main_configuration_can_be_looked_through(main):
    once = text.directives_only(main)
    assert text.directives_only(once) == once
    assert not any(text.includes(line) for line in once.split("\n"))


@pytest.mark.parametrize(
    ("line", "included"),
    [
        ("include /etc/logrotate.d", "/etc/logrotate.d"),
        ("  include = /etc/logrotate.d/  ", "/etc/logrotate.d"),
        ("include\t/a b", "/a b"),
        ("include /", "/"),
        ("includes /a", ""),
        ("#include /a", ""),
        ("", ""),
    ],
)
def test_what_a_line_includes(line, included):
    assert text.includes(line) == included


def test_the_folder_is_replaced_by_its_files():
    lines = text.with_files(MAIN, "/etc/logrotate.d", ["/m/1", "", "/m/2"]).split("\n")
    assert lines[4:7] == ["include /m/1", "", "include /m/2"]
    assert lines[:4] + lines[7:] == MAIN.split("\n")[:4] + MAIN.split("\n")[5:]
    assert text.with_files(MAIN, "/etc/none", ["/m/1"]) == ""
