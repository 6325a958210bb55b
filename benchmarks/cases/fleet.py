"""The library: prints the seconds of a first `fleet.run`, which connects, or the median of five on open connections.

Arguments: inventory, `first` or `again`.
"""

import statistics
import sys
import time

import plays

import opslib
from opslib import tasks

STEPS = [getattr(tasks, word.rpartition(".")[2])(**args) for _name, body in plays.OPSLIB for word, args in body.items()]


def timed(fleet: opslib.Fleet) -> float:
    began = time.perf_counter()
    fleet.run(STEPS).raise_for_failures()
    return time.perf_counter() - began


inventory = opslib.Inventory.load(sys.argv[1])
with opslib.Fleet(inventory.select("all"), forks=50) as opened:
    first = timed(opened)
    again = [timed(opened) for _ in range(5)] if sys.argv[2] == "again" else [first]
print(statistics.median(again))
