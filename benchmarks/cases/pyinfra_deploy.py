"""The same work as a pyinfra deploy; BENCH_ROUNDS repeats the six steps."""

import os
from io import StringIO

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files, systemd

ROTATION = open(os.environ["BENCH_ROTATION"]).read()

for number in range(int(os.environ["BENCH_ROUNDS"])):
    systemd.service(name=f"{number} service", service="bench", running=True, enabled=True)
    assert int(host.get_fact(Command, f"df -P / | awk 'NR == 2 {{ print $5 + 0 }}' # {number}")) < 95
    assert (
        float(
            host.get_fact(
                Command,
                "awk '/MemTotal/ { t = $2 } /MemAvailable/ { a = $2 } END { print a / t }'"
                f" /proc/meminfo # {number}",
            )
        )
        > 0.02
    )
    assert int(host.get_fact(Command, f"du -sk /var/log | cut -f1 # {number}")) < 10485760
    files.put(name=f"{number} rotation", src=StringIO(ROTATION), dest="/etc/logrotate.d/bench", mode="644")
    assert host.get_fact(Command, f"find /var/lib/bench/logs -name '*.log.*' -mtime +30 # {number}") in (None, "")
