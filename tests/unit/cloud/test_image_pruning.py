"""Whatever a repository holds, nothing goes that must stay, and nothing loses what it consists of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.aws.ecr import Image
from opslib.cloud.aws.image_pruning import Policy, judge

NOW = datetime(2026, 11, 26, tzinfo=UTC)
DAY = timedelta(days=1)


def digest(number):
    return f"sha256:{number:064x}"


@st.composite
def repositories(draw):
    """Return images, the newest first, and who is part of what."""
    made, parts = [], {}
    for number in range(draw(st.integers(0, 9))):
        tags = draw(st.lists(st.sampled_from(["v1", "v2", "release-1", "latest"]), max_size=2, unique=True))
        subject = draw(st.sampled_from([None, None, None, digest(draw(st.integers(0, 9)))]))
        if draw(st.booleans()):
            parts[digest(number)] = draw(st.sets(st.integers(0, 9).map(digest), min_size=1, max_size=3))
        if draw(st.integers(0, 6)) == 0:
            tags = [f"sha256-{draw(st.integers(0, 9)):064x}.sig"]
        made.append(Image(digest(number), tags, NOW - draw(st.integers(0, 60)) * DAY, 1, subject=subject))
    return sorted(made, key=lambda image: image.pushed, reverse=True), parts


POLICIES = st.builds(
    Policy,
    st.integers(1, 4),
    st.sampled_from([[], ["release-*"]]),
    st.lists(st.integers(0, 9).map(digest), max_size=2),
    st.integers(0, 30).map(lambda days: days * 86400),
)


@given(repositories(), POLICIES)
def test_nothing_goes_that_must_stay(repository, policy):
    images, parts = repository
    judged = judge(images, parts, policy, NOW)
    assert {image.digest for image in judged.gone} | {image.digest for image, _why in judged.kept} == {
        i.digest for i in images
    }
    gone = {image.digest for image in judged.gone}
    assert not gone & set(policy.deployed)
    for image in judged.gone:
        assert NOW - image.pushed >= timedelta(seconds=policy.younger)
        attached = image.subject or any(tag.startswith("sha256-") for tag in image.tags)
        assert attached or "release-1" not in image.tags or not policy.keep_tags


@given(repositories(), POLICIES)
def test_what_stays_keeps_its_parts(repository, policy):
    images, parts = repository
    judged = judge(images, parts, policy, NOW)
    kept = {image.digest for image, _why in judged.kept}
    for image in judged.gone:
        assert not parts.get(image.digest, set()) & kept


@given(repositories(), POLICIES)
def test_an_index_goes_before_its_parts(repository, policy):
    images, parts = repository
    order = [image.digest for image in judge(images, parts, policy, NOW).gone]
    attached = {
        image.digest for image in images if image.subject or any(tag.startswith("sha256-") for tag in image.tags)
    }
    for part, indexes in parts.items():
        for index in indexes - parts.keys() - attached:
            if part in order and index in order:
                assert order.index(index) < order.index(part)
