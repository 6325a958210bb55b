"""What the suites of this role share."""

import pytest


@pytest.fixture
def unit(variables):
    """The unit's full name."""
    name = variables.get("incident_unit")
    assert name, "the inventory gives this host no incident_unit to verify"
    return name if "." in name else f"{name}.service"


@pytest.fixture
def shown(host, unit):
    """What systemd says of the unit, by property."""
    text = host.check_output("systemctl show -- %s", unit)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
