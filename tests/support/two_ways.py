"""A task for tests: what systemd says of every unit over its socket, and what `systemctl show` says."""

from opslib.host.command import run
from opslib.host.params import ParamError
from opslib.host.task import Plan, Task
from opslib.host.units import bus, systemd


class TwoWays(Task, name="two_ways"):
    """Ask for each unit both ways.

    data: `units`, `different` (their names), `unanswered` (over the socket).
    """

    def probe(self):
        """Ask."""
        listed = run(["systemctl", "list-units", "--all", "--plain", "--no-legend"]).out.splitlines()
        filed = run(["systemctl", "list-unit-files", "--plain", "--no-legend"]).out.splitlines()
        seen = {"units": 0, "different": [], "unanswered": []}
        for name in sorted({line.split()[0] for line in listed + filed} | {"no-such-thing.service"}):
            try:
                systemd.UnitName()(name)
            except ParamError:  # a template
                continue
            told = bus.properties(name, systemd.PROPERTIES)
            words = ["systemctl", "show", "--property", ",".join(systemd.PROPERTIES), "--", name]
            seen["units"] += 1
            if told is None:
                seen["unanswered"].append(name)
            elif systemd.unit(name, told, told.pop("Listen", [])) != systemd.parse_show(name, run(words).out):
                seen["different"].append(name)
        return seen

    def plan(self, state):
        """Tell."""
        return Plan(reason="asked", data=state)
