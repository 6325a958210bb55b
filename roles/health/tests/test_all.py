"""What must be true when all is well; read by testinfra, not by opslib."""


def test_all_endpoints_answer(variables, check_part, check_answer):
    """Every endpoint, of the service and elsewhere, answers from the host as it should."""
    for part in variables["health_endpoints"] if variables.get("health_url") else []:
        check_part(part)
    for endpoint in variables["health_others"]:
        check_answer(endpoint)


def test_no_part_is_left_out(variables):
    """Every part of the service has an endpoint that is asked."""
    empty = [part for part, endpoints in variables["health_endpoints"].items() if not endpoints]
    assert not empty, f"nothing is asked of {', '.join(empty)}"
