"""Names of images, sizes, environments, records and public addresses: pure, and picky about what they take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.aws.container import record, sizes
from opslib.cloud.aws.container.environment import Edits
from opslib.cloud.aws.container.images import ImageRef, parse
from opslib.cloud.aws.container.public import PublicCheck
from opslib.cloud.aws.container.sizes import Cpu, Memory
from opslib.cloud.aws.container.state import Scaling, ServiceState, Size, Status
from opslib.errors import ParamError

DIGEST = "sha256:" + "0123456789abcdef" * 4
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
STATE = ServiceState(
    name="api",
    arn="arn:api",
    status=Status.RUNNING,
    word="RUNNING",
    image=f"{HOST}/api@{DIGEST}",
    url="https://api",
    size=Size(1024, 2048),
    scaling=Scaling(),
    variables={"A": "1", "B": "2"},
    secrets={"S": "arn:s"},
    raw={},
)


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("api:v1", "", "api", "v1", ""),
        (f"api@{DIGEST}", "", "api", "", DIGEST),
        (f"team/api:v1@{DIGEST}", "", "team/api", "v1", DIGEST),
        (f"{HOST}/api:v1", HOST, "api", "v1", ""),
        (f"{HOST}/team/sub/api_x.y-z:V1_2.3-4", HOST, "team/sub/api_x.y-z", "V1_2.3-4", ""),
        ("127.0.0.1:5000/api:v1", "127.0.0.1:5000", "api", "v1", ""),
        ("localhost/api:1", "localhost", "api", "1", ""),
        ("docker.io/library/nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
    ],
)
def test_names_of_images_are_taken_apart(text: str, host: str, repository: str, tag: str, digest: str) -> None:
    found = parse(text)
    assert (found.host, found.repository, found.tag, found.digest) == (host, repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        *("", "api", "-api:v1", "API:v1", "api:", ":v1", "api:v 1", "api:v1\n", "api:v1;id", "$(id):v1", "../api:v1"),
        *(
            "api:v1@sha256:00",
            f"api@{DIGEST.upper()}",
            "https://host.example/api:v1",
            "api:" + "v" * 129,
            "a" * 2000 + ":v1",
        ),
        *("api:v1\x00", "a//b:v1", "/api:v1", "host.example/:v1", "user:pass@host.example/api:v1", 7, None, ["api:v1"]),
    ],
)
def test_what_is_no_image_is_refused(text: Any) -> None:
    with pytest.raises(ParamError):
        ImageRef()(text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_taking_apart(text: str) -> None:
    try:
        ImageRef()(text)
    except ParamError as error:
        assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("value", "units"),
    [
        (1, 1024),
        ("2", 2048),
        (0.25, 256),
        ("0.5 vCPU", 512),
        ("4 vcpu", 4096),
        (1024, 1024),
        ("16384", 16384),
        (8.0, 8192),
    ],
)
def test_cpu_in_vcpus_or_units(value: Any, units: int) -> None:
    assert Cpu()(value) == units
    assert Cpu()(units) == units


@pytest.mark.parametrize(
    ("value", "megabytes"), [(2048, 2048), ("2048", 2048), ("512M", 512), ("4 GB", 4096), ("0.5G", 512), ("2g", 2048)]
)
def test_memory_in_mb_or_with_a_unit(value: Any, megabytes: int) -> None:
    assert Memory()(value) == megabytes
    assert Memory()(megabytes) == megabytes


@pytest.mark.parametrize(
    "value", [0, 3, -1, "", "x", "nan", "inf", "1e400", True, None, [], "2 GB", "1 vCPU vCPU", 10**30]
)
def test_what_is_no_cpu_is_refused(value: Any) -> None:
    with pytest.raises(ParamError):
        Cpu()(value)


@pytest.mark.parametrize("value", [0, -1, "", "x", "nan", "inf", 1.5, "0.3M", True, None, [], "4 TB", 10**30])
def test_what_is_no_memory_is_refused(value: Any) -> None:
    with pytest.raises(ParamError):
        Memory()(value)


@pytest.mark.parametrize("platform", sizes.PAIRS)
@given(cpu=st.sampled_from([256, 512, 1024, 2048, 4096, 8192, 16384]), memory=st.integers(1, 200000))
def test_only_pairs_that_exist_are_good(platform: str, cpu: int, memory: int) -> None:
    good = memory in sizes.PAIRS[platform].get(cpu, ())
    assert (sizes.fault(platform, Size(cpu, memory)) == "") is good


def test_a_pair_that_does_not_exist_is_told_with_those_that_do() -> None:
    words = sizes.fault("app_runner", Size(2048, 2048))
    assert words == "with 2 vCPU there is no 2 GB of memory; there is 4, 6 GB"
    assert sizes.fault("app_runner", Size(8192, 16384)).startswith("8 vCPU is not to be had; there is 0.25, 0.5, 1")


NAMES = st.text("ABC", min_size=1, max_size=2)


@given(
    st.dictionaries(NAMES, st.text(max_size=3)),
    st.dictionaries(NAMES, st.just("arn:x")),
    st.dictionaries(NAMES, st.text(max_size=3)),
    st.dictionaries(NAMES, st.just("arn:y")),
    st.lists(NAMES),
)
def test_edits_do_what_is_asked_and_keep_the_rest(
    variables: dict[str, str],
    secrets: dict[str, str],
    to_set: dict[str, str],
    to_take: dict[str, str],
    unset: list[str],
) -> None:
    secrets = {key: value for key, value in secrets.items() if key not in variables}
    to_take = {key: value for key, value in to_take.items() if key not in to_set}
    unset = [each for each in unset if each not in to_set and each not in to_take]
    before = replace(STATE, variables=variables, secrets=secrets)
    edits = Edits(to_set, to_take, unset)
    now_variables, now_secrets = edits.of(before)
    assert to_set.items() <= now_variables.items()
    assert to_take.items() <= now_secrets.items()
    assert not set(unset) & {*now_variables, *now_secrets}
    assert not now_variables.keys() & now_secrets.keys()
    touched = {*to_set, *to_take, *unset}
    assert {key: value for key, value in variables.items() if key not in touched}.items() <= now_variables.items()
    assert {key: value for key, value in secrets.items() if key not in touched}.items() <= now_secrets.items()
    after = replace(STATE, variables=now_variables, secrets=now_secrets)
    assert edits.of(after) == (now_variables, now_secrets)
    assert edits.words(after) == []
    assert (edits.words(before) == []) is (edits.of(before) == (variables, secrets))


A, B, C = (f"{HOST}/api@sha256:{each * 64}" for each in "abc")


@pytest.mark.parametrize(
    ("image", "tags", "back", "words"),
    [
        (B, record.tags(B, A), A, ""),
        (
            A,
            record.tags(B, A),
            "",
            "nothing to take back: api@sha256:aaaaaaaaaaaa serves, and api@sha256:bbbbbbbbbbbb,",
        ),
        (C, record.tags(B, A), "", "was not deployed by opslib"),
        (A, {}, "", "no deployment was recorded"),
        (A, {record.IMAGE: A}, "", "no deployment was recorded"),
        (A, {record.IMAGE: "\x1b[31m" * 50, record.PREVIOUS: B}, "", "was not deployed by opslib"),
    ],
)
def test_what_was_recorded_says_whereto_to_go_back(image: str, tags: dict[str, str], back: str, words: str) -> None:
    found, why = record.back_from(image, tags)
    assert found == back
    assert words in why


def test_a_name_that_no_tag_can_hold_is_told() -> None:
    assert record.fault(A, B) == ""
    assert "has 300 characters" in record.fault(A, "x" * 300)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("/health", "/health"),
        ("https://api.example/health", "https://api.example/health"),
        ({"url": "/health", "json": {"status": "healthy"}}, "/health"),
        ({"status": [200, 401]}, "/"),
    ],
)
def test_what_the_public_address_must_answer(given: Any, url: str) -> None:
    found = PublicCheck()(given)
    assert found.get("url", "/") == url
    assert PublicCheck()(found) == found


@pytest.mark.parametrize(
    "given", [7, None, [], {"url": 7}, {"no_such": 1}, "//evil.example/", "ftp://x/", {"url": "/a b"}, {1: 2}, "/\n"]
)
def test_what_is_no_check_of_an_address_is_refused(given: Any) -> None:
    with pytest.raises(ParamError):
        PublicCheck()(given)
