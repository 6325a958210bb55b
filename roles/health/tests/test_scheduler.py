"""What must be true of a host whose service is healthy; read by testinfra, not by opslib."""


def test_scheduler_endpoints_answer(check_part):
    """The endpoints of the scheduler answer from the host with the status and JSON that are asked for."""
    check_part("scheduler")
