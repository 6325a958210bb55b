"""The first code that a payload runs: read the rest, load it, start the runtime.

Sent as source. Standard input gives, after this text: the length of a marshalled mapping, a newline, the mapping.
Byte code is used where it was compiled by the same Python version; elsewhere the source is compiled on the spot. When
the mapping does not hold it, it is asked for (`TOKEN source`), and comes as its length, a newline, and itself.
"""

import marshal
import sys
import zlib


def empty_package(name) -> None:  # type: ignore[no-untyped-def]
    """Make a package of this name, and those above it; packages that are sent hold no code of their own."""
    if name and name not in sys.modules:
        parent, _, last = name.rpartition(".")
        empty_package(parent)
        module = sys.modules[name] = type(sys)(name)
        module.__path__ = []
        if parent:
            setattr(sys.modules[parent], last, module)


def boot(stdin) -> None:  # type: ignore[no-untyped-def]
    job = marshal.loads(stdin.read(int(stdin.readline())))
    package = "opslib.host"
    if sys.version_info < (3, 8):
        sys.stdout.write(
            '%s bye {"error": "Python %d.%d is too old on this host; 3.8 or newer is needed"}\n'
            % ((job["token"],) + tuple(sys.version_info[:2]))
        )
        sys.stdout.flush()
        return
    same = job["magic"] == sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    modules = job["bytecode"] if same else job["source"]
    if not modules:
        sys.stdout.write("%s source\n" % job["token"])
        sys.stdout.flush()
        modules = stdin.read(int(stdin.readline()))
    modules = marshal.loads(zlib.decompress(modules))
    for name, code in modules:
        parent, _, last = name.rpartition(".")
        if name.startswith(package + "."):
            empty_package(parent)
        module = sys.modules[name] = type(sys)(name)
        module.__package__ = parent
        if parent in sys.modules:
            setattr(sys.modules[parent], last, module)
        exec(code if same else compile(code, name + ".py", "exec", 0, True), module.__dict__)
    tasks = {}
    for name in job["tasks"]:
        module_name, class_name = job["tasks"][name]
        tasks[name] = getattr(sys.modules[module_name], class_name)
    sys.modules[package + ".runtime"].main(job["job"], tasks)


boot(sys.stdin.buffer)
