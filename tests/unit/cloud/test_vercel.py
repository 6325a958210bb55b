"""The pure parts of what is known of Vercel, and what tasks on it refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.vercel.build import digest
from opslib.cloud.vercel.models import SourceFiles, Variable
from opslib.cloud.vercel.task import DeploymentName
from opslib.cloud.vercel.variables import changed_since, edits_to_remove, edits_to_set, in_force
from opslib.errors import ParamError

TARGETS = ["production", "preview", "development"]


def variable(number, key, targets, branch=None, updated=0):
    """Return a variable as Vercel would."""
    return Variable.model_validate(
        {
            "id": f"v{number}",
            "key": key,
            "type": "encrypted",
            "target": targets,
            "gitBranch": branch,
            "updatedAt": updated,
        }
    )


@st.composite
def settings(draw):
    """Variables of which no two fight over an environment, with their values."""
    variables, values = [], {}
    for key in ("A", "B"):
        free = draw(st.permutations(TARGETS))
        while free and draw(st.booleans()):
            count = draw(st.integers(1, len(free)))
            taken, free = free[:count], free[count:]
            variables.append(variable(len(variables), key, taken))
            values[variables[-1].id] = draw(st.sampled_from(["x", "y"]))
    if draw(st.booleans()):
        variables.append(variable(99, "A", ["preview"], "branch"))
        values["v99"] = "of the branch"
    return variables, values


def carry_out(variables, values, edits):
    """Do what edits say, on paper."""
    variables, values = list(variables), dict(values)
    for number, edit in enumerate(edits):
        place = next((at for at, each in enumerate(variables) if each.id == edit.id), None)
        if edit.do == "put":
            made = variable(1000 + number, edit.key, edit.targets)
            variables.append(made)
            values[made.id] = edit.value
        elif edit.do == "value":
            values[edit.id] = edit.value
        elif edit.do == "narrow":
            variables[place] = variables[place].model_copy(update={"target": edit.targets})
        else:
            del variables[place]
    return variables, values


def table(variables, values):
    """Return what each environment gets."""
    found = {(key, target): in_force(variables, key, target) for key in ("A", "B") for target in TARGETS}
    return {place: values[each.id] for place, each in found.items() if each}


targets = st.lists(st.sampled_from(TARGETS), min_size=1, unique=True)


@given(settings(), targets)
def test_setting_changes_what_was_asked_and_nothing_else(state, wanted):
    """And a second look finds nothing to do."""
    variables, values = state
    edits = edits_to_set(variables, values, "A", "new", wanted, rewrite=False)
    after = carry_out(variables, values, edits)
    assert table(*after) == {**table(*state), **{("A", target): "new" for target in wanted}}
    assert edits_to_set(*after, "A", "new", wanted, rewrite=False) == []
    assert [each for each in after[0] if each.git_branch] == [each for each in variables if each.git_branch]
    assert after[1].get("v99") == values.get("v99")
    assert len({(edit.do, edit.id) for edit in edits}) == len(edits)


@given(settings(), targets)
def test_removing_changes_what_was_asked_and_nothing_else(state, unwanted):
    """And a second look finds nothing to do."""
    variables, values = state
    after = carry_out(variables, values, edits_to_remove(variables, "A", unwanted))
    gone = {("A", target) for target in unwanted}
    assert table(*after) == {place: value for place, value in table(*state).items() if place not in gone}
    assert edits_to_remove(after[0], "A", unwanted) == []


def test_values_are_not_in_the_words_of_an_edit():
    """They stand in tracebacks otherwise."""
    edit = edits_to_set([], {}, "A", "canary", ["production"], rewrite=False)[0]
    assert "canary" not in repr(edit)


def test_what_was_changed_since():
    """Of one environment only."""
    found = [
        variable(1, "NEW", ["production"], updated=20),
        variable(2, "OLD", ["production"], updated=10),
        variable(3, "ELSEWHERE", ["preview"], updated=30),
    ]
    assert changed_since(found, 10) == ["NEW"]


def test_the_digest_of_files_is_that_of_their_content():
    """Whatever order they come in; a mode counts."""

    def of(*files):
        rows = [{"path": path, "mode": mode, "sha": sha, "size": 1} for path, mode, sha in files]
        return digest(SourceFiles.model_validate({"files": rows, "fileCount": len(rows), "totalSize": 1}))

    assert of(("a", 1, "x"), ("b", 1, "y")) == of(("b", 1, "y"), ("a", 1, "x"))
    assert len({of(("a", 1, "x")), of(("a", 2, "x")), of(("a", 1, "y")), of(("b", 1, "x")), of()}) == 5


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("dpl_7Gw5ZMBv", "dpl_7Gw5ZMBv"),
        ("https://dashboard-1-acme.vercel.app/", "dashboard-1-acme.vercel.app"),
        ("dashboard-1-acme.vercel.app", "dashboard-1-acme.vercel.app"),
    ],
)
def test_names_of_deployments(given, name):
    """Ids, hosts and URLs; and what is canonical stays."""
    assert DeploymentName()(given) == name
    assert DeploymentName()(name) == name


@pytest.mark.parametrize(
    "given",
    ["", "https://", "a/b", "../x", "-x", "x y", "x\n", "x?y", "http://x", "$(id)", "x" * 300, "dpl_ü", None, []],
)
def test_what_is_no_name_of_a_deployment(given):
    """Nothing of it gets into a URL or an argument."""
    with pytest.raises(ParamError):
        DeploymentName()(given)


BASE = {"project": "dashboard"}


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("vercel_status", {"project": "../other"}, "is no Vercel project"),
        ("vercel_status", {"project": "-x"}, "is no Vercel project"),
        ("vercel_status", {**BASE, "team": "a b"}, "is no Vercel team"),
        ("vercel_status", {**BASE, "token": "two words"}, "token: the value is no access token"),
        ("vercel_status", {**BASE, "token": "line\nbreak"}, "token: the value holds a control character"),
        ("vercel_status", {**BASE, "api": "http://api.example.com"}, "would be sent in clear; use https"),
        ("vercel_status", {**BASE, "api": "https://user:pw@example.com"}, "credentials do not belong into a URL"),
        ("vercel_deployments", {**BASE, "states": ["FINE"]}, "is none of QUEUED"),
        ("vercel_env", {**BASE, "set": {"A": "1"}, "unset": ["A"]}, "A stands in both set and unset"),
        ("vercel_env", {**BASE, "set": {"1A": "1"}}, "is no name of a variable"),
        ("vercel_env", {**BASE, "rewrite": ["A"]}, "set gives it no value"),
        ("vercel_env", {**BASE, "targets": ["development"], "sensitive": True}, "development cannot be sensitive"),
        ("vercel_env", {**BASE, "targets": []}, "the list is empty"),
        ("vercel_env", {**BASE, "targets": ["preview", "preview"]}, "names one twice"),
        ("vercel_deploy", {**BASE, "directory": "frontend"}, "is no absolute path"),
        ("vercel_deploy", {**BASE, "directory": "/x", "program": "--version"}, "is no program"),
        ("vercel_promote", {**BASE, "deployment": "x", "verified": False, "url": "https://x.com"}, "have no meaning"),
        ("vercel_logs", {**BASE, "kind": "build", "search": "x"}, "a build log is read whole"),
        ("vercel_logs", {**BASE, "search": "--help"}, "must not begin with '-'"),
    ],
)
def test_parameters_that_are_refused(name, args, said):
    """Before anything is touched, and without repeating a secret."""
    with pytest.raises(ParamError) as caught:
        tasks.get(name)(**args)
    assert said in str(caught.value)
    assert "two words" not in str(caught.value)
