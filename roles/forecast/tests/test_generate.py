"""What must be true of a host that gave forecasts; read by testinfra, not by opslib."""


def test_service_survived_it(variables, check_answer):
    """The service still says that it can forecast."""
    headers = variables.get("forecast_headers")
    check_answer(
        {"url": f"{variables['forecast_url']}/health", "json": {"status": "healthy"}, "request_headers": headers}
    )
