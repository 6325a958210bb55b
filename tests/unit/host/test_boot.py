"""The first code of a payload: it loads modules that were sent, and refuses a Python that is too old."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
import zlib

SOURCE = os.path.join(os.path.dirname(importlib.util.find_spec("opslib.host").origin), "boot.py")
HELPER = "from __future__ import annotations\ndef word():\n    return %r\n"
RUNTIME = (
    "from . import helper\nfrom .helper import word\nimport opslib.host.helper\n"
    "def main(job, tasks):\n"
    "    print(word(), opslib.host.helper is helper, job['n'], sorted(tasks), [tasks[k]().x for k in sorted(tasks)])\n"
)
MINE = "from opslib.host.helper import word\nclass Task:\n    x = word()\n"


def modules(word, compiled):
    """Return modules in import order, as boot gets them."""
    texts = [("opslib.host.helper", HELPER % word), ("opslib.host.runtime", RUNTIME), ("site.mine", MINE)]
    codes = [(name, compile(text, name, "exec") if compiled else text) for name, text in texts]
    return zlib.compress(marshal.dumps(codes, 2))


def boot(magic, prelude="", more=b"", **changes):
    """Run boot in a Python of its own, with more input than the mapping, and return how it ended."""
    job = {
        "token": "opslib:1",
        "magic": magic,
        "bytecode": modules("from byte code", True) if magic == importlib.util.MAGIC_NUMBER else b"of another Python",
        "source": modules("from source", False),
        "tasks": {"mine": ("site.mine", "Task")},
        "job": {"n": 5},
    }
    body = marshal.dumps(dict(job, **changes), 2)
    with open(SOURCE, encoding="utf-8") as file:
        command = [sys.executable, "-ISB", "-c", prelude + file.read()]
    return subprocess.run(command, input=b"%d\n%s" % (len(body), body) + more, stdout=subprocess.PIPE, check=False)


def test_byte_code_is_used_where_it_fits():
    """The same Python version needs no compiling."""
    done = boot(importlib.util.MAGIC_NUMBER)
    assert done.stdout.decode() == "from byte code True 5 ['mine'] ['from byte code']\n"
    assert done.returncode == 0


def test_source_is_compiled_where_byte_code_does_not_fit():
    """Another version never sees the byte code."""
    done = boot(b"\0\0\r\n")
    assert done.stdout.decode() == "from source True 5 ['mine'] ['from source']\n"


def test_source_that_was_not_sent_is_asked_for():
    """Where byte code fits, it is not."""
    source = modules("from source", False)
    done = boot(b"\0\0\r\n", source=b"", more=b"%d\n%s" % (len(source), source))
    assert done.stdout.decode() == "opslib:1 source\nfrom source True 5 ['mine'] ['from source']\n"
    assert b"source" not in boot(importlib.util.MAGIC_NUMBER, source=b"").stdout


def test_a_python_that_is_too_old_is_named():
    """It says so in the protocol's words, and loads nothing."""
    done = boot(b"\0\0\r\n", prelude="import sys\nsys.version_info = (3, 7, 16)\n", source=b"not touched")
    assert done.stdout == b'opslib:1 bye {"error": "Python 3.7 is too old on this host; 3.8 or newer is needed"}\n'
    assert done.returncode == 0
