"""What must be true elsewhere when all is well; read by testinfra, not by opslib."""


def test_other_endpoints_answer(variables, check_answer):
    """The endpoints elsewhere answer from the host with the status and JSON that are asked for."""
    for endpoint in variables.get("health_others", []):
        check_answer(endpoint)
