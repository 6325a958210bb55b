"""The library: a first `fleet.run`, which connects, and further ones on the open connections.

Arguments: inventory, further runs. Prints the seconds of each as JSON.
"""

import json
import sys
import time

import plays

import opslib
from opslib import tasks

STEPS = [getattr(tasks, word.rpartition(".")[2])(**args) for _name, body in plays.OPSLIB for word, args in body.items()]

inventory = opslib.Inventory.load(sys.argv[1])
seconds = []
with opslib.Fleet(inventory.select("all"), forks=50) as fleet:
    for _ in range(int(sys.argv[2]) + 1):
        began = time.perf_counter()
        fleet.run(STEPS).raise_for_failures()
        seconds.append(time.perf_counter() - began)
print(json.dumps(seconds))
