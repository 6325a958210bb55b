"""What must be true of a host whose jobs collect from providers; read by testinfra, not by opslib."""


def test_providers_are_reached(variables, check_answer):
    """Those that can be asked without credentials answer; the others are left to the task."""
    for provider in variables.get("scheduler_providers", []):
        check_answer(provider)
