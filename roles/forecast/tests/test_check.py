"""What must be true of a host whose forecasts work; read by testinfra, not by opslib."""

ALSO = ("package", "data")


def test_health_endpoint_answers(variables, check_answer):
    """The service says that it can forecast."""
    headers = variables.get("forecast_headers")
    check_answer(
        {"url": f"{variables['forecast_url']}/health", "json": {"status": "healthy"}, "request_headers": headers}
    )
