"""Whatever there is, nothing young, held or of the newest good ones goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.backups import Backup, folders
from opslib.cloud.gcp.objects import Item
from opslib.cloud.gcp.pruning import Policy, judge

NOW = datetime(2026, 11, 26, tzinfo=UTC)
DAY = timedelta(days=1)


def item(name, age, held="", until=None):
    return Item("b", name, 1, "AAAAAA==", 1, 1, NOW - age * DAY, held, None if until is None else NOW + until * DAY)


ITEMS = st.builds(
    item,
    st.sampled_from(["output-0", "x.export_metadata", "x.overall_export_metadata", "cat.jpg"]),
    st.integers(0, 90),
    st.sampled_from(["", "under temporary hold"]),
    st.sampled_from([None, -1, 1]),
)


@st.composite
def backups(draw):
    made = []
    for number in range(draw(st.integers(0, 8))):
        items = draw(st.lists(ITEMS, min_size=1, max_size=3))
        finished = draw(st.sampled_from([None, items[0].created]))
        made.append(Backup("b", f"daily/{number}", items, finished))
    return made


@given(backups(), st.data(), st.integers(1, 4), st.integers(1, 60), st.booleans())
def test_nothing_goes_that_must_stay(found, data, keep_last, days, unfinished):
    complete = [backup.name for backup in found if backup.finished]
    good = data.draw(st.lists(st.sampled_from(complete), unique=True)) if complete else []
    policy = Policy(keep_last, days * 86400, ["5"], unfinished)
    judged = judge(found, good, policy, NOW)
    assert len(judged.gone) + len(judged.kept) == len(found)
    for backup in judged.gone:
        assert len(good) >= keep_last
        assert backup.name not in good[:keep_last]
        assert all(NOW - each.created >= days * DAY for each in backup.items)
        assert not any(each.held or (each.until and each.until > NOW) for each in backup.items)
        assert backup.name != "daily/5"
        assert backup.finished or (unfinished and not any(each.name.endswith(".jpg") for each in backup.items))


@given(st.lists(st.text("ab/", min_size=1, max_size=8), unique=True), st.sampled_from(["", "a", "a/", "b/a"]))
def test_every_object_belongs_to_one_export_at_most(names, prefix):
    items = [item(prefix + name, 1) for name in names]
    found = folders("b", prefix, items)
    grouped = [each.name for backup in found for each in backup.items]
    assert len(grouped) == len(set(grouped))
    for backup in found:
        assert backup.name.startswith(prefix.rstrip("/"))
        assert all(each.name.startswith(f"{backup.name}/") for each in backup.items)
