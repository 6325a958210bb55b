"""What must be true of a host whose service was watched for leaks; read by testinfra, not by opslib."""


def test_service_is_up(unit, shown):
    """The unit runs, and the kernel has not killed it."""
    assert shown["ActiveState"] == "active", f"{unit} is {shown['ActiveState']} ({shown['SubState']})"
    assert shown["Result"] != "oom-kill", f"{unit} was killed for want of memory"
