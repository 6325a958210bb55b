"""What must be true when all is well; read by testinfra, not by opslib. The suites of the parts look closer."""


def test_no_part_is_left_out(variables):
    """Every part of the service has an endpoint that is asked."""
    empty = [part for part, endpoints in variables["health_endpoints"].items() if not endpoints]
    assert not empty, f"nothing is asked of {', '.join(empty)}"
