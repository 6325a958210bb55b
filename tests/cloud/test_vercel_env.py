"""Environment variables on Vercel: set, removed, compared with a file; and never shown."""

from __future__ import annotations

import pytest

from support.vercel import kept, on_vercel

__all__ = ["kept"]
pytestmark = pytest.mark.usefixtures("kept")

CANARY = "canary-5f1e9c"
PREVIEW = ["production", "preview"]


def env(**more):
    return on_vercel("vercel_env", **more)


def test_variables_become_as_asked(vercel):
    """Check, run, run again; and what is shared with previews stays theirs."""
    vercel.variable("SAME", "as it is")
    vercel.variable("CHANGED", "before")
    vercel.variable("SHARED", "theirs", targets=PREVIEW)
    vercel.variable("OLD", "x")
    vercel.variable("OLD_SHARED", "x", targets=PREVIEW)
    wanted = {"SAME": "as it is", "CHANGED": CANARY, "SHARED": "ours", "NEW": "line one\nline two"}
    asked = {"set": wanted, "unset": ["OLD", "OLD_SHARED", "NEVER_THERE"]}

    planned = env(check=True, **asked)
    assert [each.partition(" (")[0] for each in planned.summaries] == [
        "set CHANGED in production",
        "keep the present SHARED in preview only",
        "set SHARED in production",
        "set NEW in production",
        "remove OLD from production",
        "keep the present OLD_SHARED in preview only",
    ]
    assert vercel.mutations == []

    done = env(**asked)
    assert (done.status, done.error) == ("changed", None)
    assert vercel.values() == wanted
    assert vercel.values("preview") == {"SHARED": "theirs", "OLD_SHARED": "x"}
    assert any("takes effect with the next build" in each for each in done.warnings)

    before = len(vercel.mutations)
    again = env(**asked)
    assert (again.status, len(vercel.mutations)) == ("ok", before)
    assert CANARY not in repr((planned, done, again))


def test_a_variable_that_one_environment_lacks(vercel):
    """Only that one gets it."""
    vercel.variable("A", "1")
    assert env(set={"A": "1"}, targets=PREVIEW).summaries[0].startswith("set A in preview (")
    assert (vercel.values(), vercel.values("preview")) == ({"A": "1"}, {"A": "1"})
    assert env(set={"A": "1"}, targets=PREVIEW).status == "ok"


def test_sensitive_variables_are_taken_to_be_right_or_written_again(vercel):
    """Nobody can read them back, so writing is an act, and said to be one."""
    assert env(set={"KEY": CANARY}, sensitive=True).status == "changed"
    assert [each["type"] for each in vercel.variables] == ["sensitive"]
    assert env(set={"KEY": "another"}, sensitive=True).status == "ok"
    done = env(set={"KEY": "another"}, rewrite=["KEY"])
    assert (done.status, done.changes[0]["kind"]) == ("changed", "action")
    assert vercel.values() == {"KEY": "another"}
    assert env(set={"KEY": "another"}, rewrite=["KEY"]).status == "changed"


def test_variables_of_branches_and_of_other_environments_are_left_alone(vercel):
    """They are listed, no more."""
    vercel.variable("A", "branch", targets=["preview"], gitBranch="try")
    vercel.variable("B", "dev", targets=["development"])
    done = env(unset=["A", "B"], targets=["preview"])
    assert (done.status, vercel.mutations) == ("ok", [])
    assert [(row["key"], row["branch"]) for row in done.data["variables"]] == [("A", "try")]


def test_a_listing_shows_no_value(vercel):
    """Not even that of a plain variable, or what Vercel sends in place of one."""
    vercel.variable("PLAIN", CANARY, kind="plain")
    vercel.variable("ENCRYPTED", CANARY)
    done = env()
    assert [row["key"] for row in done.data["variables"]] == ["ENCRYPTED", "PLAIN"]
    assert CANARY not in repr(done)
    assert "eyJ" not in repr(done)
    assert vercel.calls("get_variable") == []


def test_a_file_is_compared(vercel, tmp_path):
    """By name: what lacks, what is more, what differs, and what nobody can compare."""
    vercel.variable("SAME", "1")
    vercel.variable("QUOTED", "two words", kind="plain")
    vercel.variable("DIFFERS", CANARY)
    vercel.variable("EXTRA", "x")
    vercel.variable("SECRET", "x", kind="sensitive")
    file = tmp_path / "production.env"
    file.write_text("# production\nSAME=1\nQUOTED='two words'\nDIFFERS=other-canary\nLACKS=x\nSECRET=y\n")
    done = env(file=str(file))
    assert (done.status, done.changed) == ("failed", False)
    assert "missing: LACKS; different: DIFFERS; extra: EXTRA" in done.error
    assert done.data["unknown"] == ["SECRET"]
    assert "canary" not in repr(done)
    assert env(file=str(file), same=False).status == "ok"
    vercel.variable("LACKS", "x")
    env(unset=["EXTRA"], set={"DIFFERS": "other-canary"}, same=False)
    assert env(file=str(file)).status == "ok"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff=1\n", "is not UTF-8"), (b"A='open\n", "does not end"), (b"A=" + b"x" * (1 << 20), "longer than 1 MiB")],
)
def test_a_file_that_is_none(vercel, tmp_path, content, said):
    """It is refused before anything else."""
    file = tmp_path / "env"
    file.write_bytes(content)
    assert said in env(file=str(file), set={"A": "1"}).error
    assert vercel.mutations == []
    assert "No such file" in env(file=str(tmp_path / "none")).error


@pytest.mark.parametrize(("effect", "requests"), [(True, 1), (False, 3)])
@pytest.mark.parametrize("operation", ["create_variable", "edit_variable", "remove_variable"])
def test_lost_answers_are_made_up_for(vercel, operation, effect, requests):
    """What has taken effect is seen; what has not is asked for again, for it asks for a state."""
    vercel.variable("CHANGED", "before")
    vercel.variable("OLD", "x")
    vercel.fail(operation, times=1 if effect else 2, after_effect=effect)
    asked = {"set": {"NEW": "1", "CHANGED": "after"}, "unset": ["OLD"]}
    done = env(**asked)
    assert (done.status, done.error) == ("changed", None)
    assert vercel.values() == {"NEW": "1", "CHANGED": "after"}
    assert len(vercel.calls(operation)) == requests
    assert env(**asked).status == "ok"


def test_a_sensitive_variable_whose_answer_was_lost(vercel):
    """It cannot be looked at, so it is set again, which does no harm."""
    vercel.drop("create_variable", after_effect=True)
    assert env(set={"KEY": CANARY}, sensitive=True).error is None
    assert (vercel.values(), len(vercel.variables)) == ({"KEY": CANARY}, 1)


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(vercel, times):
    """Then each is set once."""
    vercel.throttle("create_variable", times)
    assert env(set={"A": "1"}).status == "changed"
    assert vercel.values() == {"A": "1"}


def test_what_vercel_refuses_is_told(vercel):
    """Also when it says so in an answer that looks like success."""
    refusal = {"created": [], "failed": [{"error": {"code": "ENV_LIMIT", "message": "too many variables"}}]}
    vercel.answer("create_variable", refusal, status=201)
    assert "A was not set: too many variables" in env(set={"A": "1"}).error
    vercel.twist("list_variables", lambda body: {"envs": [{**each, "type": "odd"} for each in body["envs"]]})
    vercel.variable("A", "1")
    assert "the answer makes no sense: envs.0.type" in env(set={"A": "1"}).error


def test_a_listing_that_is_cut_is_not_taken_for_the_whole(vercel):
    """What it leaves out would pass for removed."""
    vercel.variable("A", "1")
    whole = {"count": 1, "next": None, "prev": None}
    vercel.twist("list_variables", lambda body: {**body, "pagination": whole})
    assert env().status == "ok"
    cut = {"envs": [], "pagination": {**whole, "next": 1700000000000}}
    vercel.twist("list_variables", lambda _body: cut)
    done = env(unset=["A"])
    assert (done.status, vercel.values()) == ("failed", {"A": "1"})
    assert "the list of environment variables is cut after 0" in done.error


@pytest.mark.parametrize("asked", [{"set": {"A": "2"}}, {"unset": ["A"]}])
def test_a_variable_without_an_id_stops_only_what_would_change_it(vercel, asked):
    """Vercel may leave the id out, and then there is no way to the variable."""
    vercel.variable("A", "1")
    vercel.variable("B", "1")

    def without(body):
        body["envs"][0].pop("id")

    vercel.twist("list_variables", without, times=None)
    assert [row["key"] for row in env(unset=["C"]).data["variables"]] == ["A", "B"]
    assert env(set={"B": "2"}).status == "changed"
    done = env(**asked)
    assert (done.status, vercel.values()) == ("failed", {"A": "1", "B": "2"})
    assert "Vercel tells no id of the variable A" in done.error
