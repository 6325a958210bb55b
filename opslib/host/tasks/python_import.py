"""Check that packages of a virtual environment can be imported."""

from __future__ import annotations

import os
import stat

from opslib.host.command import run
from opslib.host.params import USER, Duration, ListOf, Name, ParamError, Path, Size, shown
from opslib.host.plan import Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import listed, printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MARK = "opslib-imported "
_LONGEST = 500
# Each module in a process of its own, which a package that crashes the interpreter cannot hide behind.
_CODE = """
import sys, time
began = time.monotonic()
try:
    module = __import__(sys.argv[1])
    for part in sys.argv[1].split(".")[1:]:
        module = getattr(module, part)
    error = ""
except BaseException as caught:
    module, error = None, "%s: %s" % (type(caught).__name__, caught)
took = time.monotonic() - began
import json, resource
version = getattr(module, "__version__", None)
if module is not None and not isinstance(version, str):
    try:
        from importlib.metadata import packages_distributions, version as asked
        version = asked(packages_distributions()[sys.argv[1].split(".")[0]][0])
    except Exception:
        version = None
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
found = {"error": error[:2000], "version": version, "seconds": round(took, 4), "memory_bytes": most}
print("\\n%s" % sys.argv[2] + json.dumps(found))
"""


class ModuleName(Name):
    """The dotted name of a Python module."""

    def __init__(self) -> None:
        super().__init__("name of a Python module", signs="_.")

    def check(self, value: str) -> str:
        value = super().check(value)
        if not all(part.isidentifier() for part in value.split(".")):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


class PythonImport(Task, name="python_import"):
    """Import packages with the Python of a virtual environment, and fail when one of them cannot be imported.

    `pip list` shows a package that is installed; whether it works, with its compiled parts and the libraries they
    want, only an import tells. Each module is imported in a process of its own, isolated from the environment and the
    current folder, which writes no compiled files; as `user` when given (takes root), because an import runs the
    package's code. A warning says when an import needs more memory than `max_memory`.

    data: `modules` by name (`imported`, `version` or null, `seconds`, `memory_bytes` (the process at its largest),
    `error` or null), `python` (path), `python_version`. Source: getrusage(2).
    """

    venv: str = param(Path(), "Folder of the virtual environment.", example="/srv/app/venv")
    modules: list[str] = param(ListOf(ModuleName(), empty=False, longest=50), "Modules to import.", example=["prophet"])
    user: str | None = param(USER, "User to import as.", default=None, example="www-data")
    max_memory: int | None = param(
        Size(), "Bytes of memory from which an import is worth a warning.", default=None, example="500M"
    )
    timeout: float = param(Duration(low=0.1), "Seconds that one import may take.", default=60)

    def probe(self) -> dict[str, Any]:
        python = self.venv + "/bin/python"
        try:
            good = stat.S_ISREG(os.stat(python).st_mode) and os.access(python, os.X_OK)
        except OSError as error:
            raise TaskError("%s is no virtual environment: %s: %s" % (self.venv, python, error.strerror)) from None
        if not good:
            raise TaskError("%s is no virtual environment: %s cannot be run" % (self.venv, python))
        command = [*self._lender(), python, "-I", "-B"]
        version = run([*command, "-c", "import platform; print(platform.python_version())"], timeout=self.timeout).out
        rows = {module: self._imported(command, module) for module in self.modules}
        return {"python": python, "version": printable(version.strip()[:50]), "modules": rows}

    def _lender(self) -> list[str]:
        if self.user is None:
            return []
        import pwd

        try:
            found = pwd.getpwnam(self.user)
        except KeyError:
            raise TaskError("there is no user %s on this host" % self.user) from None
        if os.geteuid() == found.pw_uid:
            return []
        if os.geteuid() != 0:
            raise TaskError("importing as user %s takes root (become)" % self.user)
        return ["setpriv", "--reuid=%d" % found.pw_uid, "--regid=%d" % found.pw_gid, "--init-groups", "--"]

    def _imported(self, command: list[str], module: str) -> dict[str, Any]:
        import json

        try:
            done = run([*command, "-c", _CODE, module, _MARK], timeout=self.timeout, ok=None, max_output=1 << 20)
        except TaskError:
            return {"error": "the import did not end within %g seconds" % self.timeout}
        line = done.out.rpartition("\n" + _MARK)[2].partition("\n")[0]
        try:
            found = json.loads(line)
            return {key: found[key] for key in ("error", "version", "seconds", "memory_bytes")}
        except (ValueError, KeyError, TypeError):
            how = "signal %d" % -done.code if done.code < 0 else "exit code %d" % done.code
            return {"error": "the interpreter ended with %s: %s" % (how, done.err.strip()[-200:] or "it said nothing")}

    def plan(self, state: dict[str, Any]) -> Plan:
        rows, failures, warnings = {}, [], []
        for module, found in state["modules"].items():
            error = printable(" ".join(str(found.get("error") or "").split()))[:_LONGEST]
            version = found.get("version")
            memory = found.get("memory_bytes")
            rows[module] = {
                "imported": not error,
                "version": printable(version)[:100] if isinstance(version, str) else None,
                "seconds": found.get("seconds"),
                "memory_bytes": memory,
                "error": error or None,
            }
            if error:
                failures.append("%s cannot be imported by %s: %s" % (module, state["python"], error))
            elif self.max_memory is not None and isinstance(memory, int) and memory > self.max_memory:
                warnings.append(
                    "importing %s takes %s of memory, more than %s" % (module, size(memory), size(self.max_memory))
                )
        data = {"modules": rows, "python": state["python"], "python_version": state["version"]}
        if failures:
            return Plan(failure=listed(failures), warnings=warnings, data=data)
        names = ["%s %s" % (module, row["version"] or "(no version)") for module, row in rows.items()]
        return Plan(reason="%s can be imported" % ", ".join(names), warnings=warnings, data=data)
