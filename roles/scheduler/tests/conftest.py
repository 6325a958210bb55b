"""What the suites of this role share."""

import json

import pytest

_ASK = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"


@pytest.fixture
def page(host, variables):
    """The scheduler's page, as the host sees it."""
    url = variables.get("scheduler_url")
    assert url, "the inventory gives this host no scheduler_url to verify"
    if variables.get("scheduler_headers"):
        pytest.skip("the page wants headers, which would be seen as arguments of a command")
    return json.loads(host.check_output("python3 -c %s %s", _ASK, url))
