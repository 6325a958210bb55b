"""Merging lifecycle rules, whatever is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.lifecycle import in_conflict, merged, rule

NAMES = st.lists(st.sampled_from(["a/", "b/", "ab/"]), min_size=1, max_size=2, unique=True)
CONDITIONS = st.fixed_dictionaries(
    {"age": st.integers(1, 5)}, optional={"matchesPrefix": NAMES, "isLive": st.booleans()}
)
ACTIONS = st.sampled_from([{"type": "Delete"}, {"type": "AbortIncompleteMultipartUpload"}])
RULES = st.lists(st.builds(lambda a, c: rule({"action": a, "condition": c}), ACTIONS, CONDITIONS), max_size=4)


@given(RULES, RULES)
def test_what_is_wanted_is_there_and_a_second_time_changes_nothing(there, wanted):
    result = merged(there, wanted, exclusive=False)
    assert all(each in result for each in wanted)
    assert merged(result, wanted, exclusive=False) == result


@given(RULES, RULES)
def test_others_stay_unless_they_differ_in_the_age_alone(there, wanted):
    result = merged(there, wanted, exclusive=False)
    about = [(each["action"], {k: v for k, v in each["condition"].items() if k != "age"}) for each in wanted]
    for each in there:
        replaced = (each["action"], {k: v for k, v in each["condition"].items() if k != "age"}) in about
        assert replaced or each in result


@given(RULES, RULES)
def test_exclusive_leaves_nothing_else(there, wanted):
    result = merged(there, wanted, exclusive=True)
    assert sorted(map(str, result)) == sorted(map(str, wanted))


def test_only_plain_deletions_that_overlap_are_in_conflict():
    wanted = {"action": {"type": "Delete"}, "condition": {"age": 30, "matchesPrefix": ["daily/"]}}
    early = {"action": {"type": "Delete"}, "condition": {"age": 7, "matchesPrefix": ["daily/tmp/"]}}
    other = {"action": {"type": "Delete"}, "condition": {"age": 7, "matchesPrefix": ["logs/"]}}
    old = {"action": {"type": "Delete"}, "condition": {"age": 7, "isLive": False}}
    assert list(in_conflict([wanted, early, other, old], wanted)) == [early]
