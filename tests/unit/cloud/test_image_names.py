"""Names of images, in all the ways in which people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.images import kinds
from opslib.cloud.images.names import Address, address
from opslib.host.params import ParamError

DIGEST = "sha256:" + "a" * 64
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/spendsense-api"


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        (ECR, ECR.partition("/")[0], "spendsense-api"),
        ("127.0.0.1:5000/team/api", "127.0.0.1:5000", "team/api"),
        ("localhost/api", "localhost", "api"),
        ("docker.io/library/nginx", "docker.io", "library/nginx"),
    ],
)
def test_an_address_names_its_registry(text, host, name):
    assert address(text) == Address(host, name)
    assert str(address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "api",
        "team/api",
        "host.example/",
        "/api",
        "-h.example/api",
        "h.example/UPPER",
        "h.example/a/../b",
        "h.example/a//b",
    ]
    + [
        "h.example:/api",
        "h.example:123456/api",
        "h.example/api:tag",
        "h.example/a b",
        "h.example/a\n",
        "u@h.example/api",
    ],
)
def test_what_is_no_address(text):
    assert address(text) is None


@pytest.mark.parametrize(
    ("host", "near"), [("localhost", True), ("127.0.0.1:5000", True), ("127.0.0.1.evil.example", False)]
)
def test_only_this_machine_is_spoken_to_in_the_clear(host, near):
    assert Address(host, "x").is_loopback is near


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DIGEST, DIGEST),
        ("v1.2_3-x", "v1.2_3-x"),
        (f"{ECR}@{DIGEST}", DIGEST),
        (f"{ECR}:v7", "v7"),
        ("127.0.0.1:5000/api:v7", "v7"),
    ],
)
def test_a_reference_is_a_digest_or_a_tag(text, found):
    kind = kinds.reference()
    assert kind(text) == found
    assert kind(kind(text)) == found


@pytest.mark.parametrize(
    "text", ["", "a b", "-x", ".x", "x" * 129, "sha256:abc", f"{ECR}@{DIGEST}x", f"{ECR}:", "a/b:c", "x\x1b[2J", 7.5j]
)
def test_what_is_no_reference(text):
    with pytest.raises(ParamError):
        kinds.reference()(text)


@given(st.text(max_size=40))
def test_kinds_give_back_what_they_took_or_refuse(text):
    for kind in (kinds.reference(), kinds.tag(), kinds.repository_name(), kinds.repository_name(full=True)):
        try:
            found = kind(text)
        except ParamError:
            continue
        assert kind(found) == found
        assert found.isascii()
        assert found.isprintable()
