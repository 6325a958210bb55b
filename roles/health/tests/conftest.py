"""What the suites of this role share."""

import pytest


@pytest.fixture
def check_part(variables, check_answer):
    """`check_part(name)` asks the endpoints of a part of the service from the host."""

    def check(part):
        base = variables.get("health_url")
        assert base, "the inventory gives this host no health_url to verify"
        for endpoint in variables["health_endpoints"][part]:
            headers = endpoint.get("request_headers", variables.get("health_headers"))
            check_answer({"url": base + endpoint.get("path", ""), **endpoint, "request_headers": headers})

    return check
