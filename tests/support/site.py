"""A small application on lab hosts, and the inventory that an operator would have for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opslib.lab import Lab, LabHost
from support.hosts import eventually
from support.units import website

__all__ = ["inventory", "prepare"]

URL = "http://127.0.0.1:8080/health"
VARIABLES: dict[str, Any] = {
    "ansible_become": True,
    "service_unit": "site",
    "service_port": 8080,
    "service_settle": 0.5,
    "service_http": {"url": URL, "json": {"status": "healthy"}},
    "maintenance_services": ["site"],
    "maintenance_http_checks": [{"url": URL, "json": {"status": "healthy"}, "max_latency": "10s"}],
    "maintenance_memory_fail": "1%",
    "maintenance_log_paths": ["/srv/logs/*", "/var/log"],
    "maintenance_retention": [{"root": "/srv/logs"}],
    "maintenance_logrotate": [{"config": "site", "paths": ["/srv/logs/*.log"], "frequency": "daily", "rotate": 7}],
}


def inventory(lab: Lab, path: Path, hosts: Sequence[LabHost], **changes: Any) -> Path:
    """Write an inventory for hosts, into which `ops` logs in, and return its path."""
    text = lab.inventory_text(user="ops", hosts=hosts)
    # A JSON value is a YAML value.
    text += "".join(f"    {name}: {json.dumps(value)}\n" for name, value in {**VARIABLES, **changes}.items())
    path.write_text(text)
    return path


def prepare(host: LabHost) -> None:
    """Install and start the application: a service with a port, and logs, one of them old."""
    unit = f"[Service]\nExecStart={website(host)} 8080\n[Install]\nWantedBy=multi-user.target\n"
    host.write("/etc/systemd/system/site.service", unit)
    host.write("/srv/logs/site.log", "new\n")
    host.write("/srv/logs/site.log.1", "old\n")
    host.run(["touch", "-d", "40 days ago", "/srv/logs/site.log.1"])
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "start", "site"])
    assert eventually(lambda: ":8080" in host.run(["ss", "-Htln"]).stdout)
