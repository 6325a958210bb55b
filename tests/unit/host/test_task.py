"""Tasks: their parameters are checked when they are made, and their secrets stay hidden."""

from __future__ import annotations

import json
import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import Boolean, Duration, ListOf, Mapping, Number, ParamError, Path, Size, Text, UsageError
from opslib.host.record import Record
from opslib.host.task import Plan, Task, TaskError, field, param
from support import hostile


class Keep(Task, name="keep"):
    """Keep something."""

    path: str = param(Path(), "where", example="/srv")
    size: int = param(Size(), "how much", default="1K")
    wait: float = param(Duration(), "how long", default=None)
    tags: list = param(ListOf(Text()), "which", default=["a"])


class Guarded(Keep, name="guarded"):
    """Keep something secret; one parameter replaces the parent's."""

    password: str = param(Text(secret=True), "the password")
    tokens: list = param(ListOf(Text(secret=True)), "more of them", default=[])
    headers: dict = param(Mapping(secret=True), "and more", default=None)
    size: int = param(Number(0, 10, whole=True), "another size", default=3)

    def check(self):
        """Refuse a contradiction."""
        if self.password == self.path:
            self.refuse("the password is the path")


class Nothing(Task, name="nothing"):
    """No parameter."""


def test_values_are_canonical():
    """Values and defaults pass through their kinds; what was not given and has no default is None."""
    task = Keep(path="/srv/./x/")
    assert (task.path, task.size, task.wait, task.tags) == ("/srv/x", 1024, None, ["a"])
    assert task.args() == {"path": "/srv/x", "size": 1024, "tags": ["a"]}


def test_none_means_not_given():
    """None stands for the default, or for nothing where a value is required."""
    assert Keep(path="/", size=None).size == 1024
    with pytest.raises(ParamError, match=r"^keep: path is required \(absolute path\)$"):
        Keep(path=None)


def test_a_task_can_be_made_again_from_its_arguments():
    """args() is canonical, plain, and gives an equal task."""
    task = Guarded(path="/x", password="hunter2", tokens=["t0ken"], headers={"Auth": "b3arer"}, wait="1m")
    for args in (task.args(), json.loads(json.dumps(task.args())), marshal.loads(marshal.dumps(task.args()))):
        assert Guarded(**args) == task
        assert Guarded(**args).args() == task.args()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "keep: path is required"),
        ({"path": "/", "colour": 1}, "keep has no parameter 'colour'; it has path, size, wait, tags"),
        ({"path": "/", "name": "x"}, "keep has no parameter 'name'"),
        ({"path": "/", "probe": "x"}, "keep has no parameter 'probe'"),
        ({"path": "/", "_fields": {}}, "keep has no parameter '_fields'"),
        ({"path": "/", "a\nb": 1}, r"keep has no parameter 'a\\nb'"),
        ({"path": "x"}, "keep: path: 'x' is no absolute path"),
        ({"path": "/", "tags": ["a", ""]}, "keep: tags: item 2: it is empty"),
    ],
)
def test_wrong_parameters_are_named(args, message):
    """The message says which task, which parameter and what is wrong; it is a ValueError and a UsageError."""
    with pytest.raises(ParamError, match="^" + message) as caught:
        Keep(**args)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, UsageError)


def test_a_task_without_parameters_says_so():
    """An unknown parameter is refused there too."""
    assert Nothing().args() == {}
    with pytest.raises(ParamError, match="nothing has no parameter 'x'; it has none"):
        Nothing(x=1)


@pytest.mark.parametrize("name", ["path", "size", "wait", "tags"])
def test_hostile_values_are_refused_by_name_or_harmless(name):
    """A task is made whole, or ParamError names task and parameter."""
    for value in hostile.VALUES:
        args = {"path": "/", name: value}
        try:
            task = Keep(**args)
        except ParamError as error:
            assert str(error).startswith("keep: %s" % name)
            assert str(error).isprintable()
        else:
            assert Keep(**task.args()) == task


def test_parameters_keep_their_order_and_are_inherited():
    """A subclass has the parent's parameters first; replacing one keeps its place; the parent stays as it was."""
    assert list(Guarded.parameters()) == ["path", "size", "wait", "tags", "password", "tokens", "headers"]
    assert list(Keep.parameters()) == ["path", "size", "wait", "tags"]
    assert Guarded(path="/", password="hunter2").size == 3
    assert Keep(path="/").size == 1024
    assert (Keep.name, Guarded.name) == ("keep", "guarded")


def test_the_parameters_are_a_copy():
    """Whoever asks for them cannot change the task."""
    Keep.parameters().clear()
    assert Keep.parameters()["path"].example == "/srv"


def test_defaults_are_not_shared():
    """A list that one task holds is not another's default."""
    Keep(path="/").tags.append("b")
    assert Keep(path="/").tags == ["a"]


def test_tasks_are_immutable():
    """No parameter is changed, added or deleted."""
    task = Keep(path="/")
    for change in (lambda: setattr(task, "path", "/x"), lambda: setattr(task, "x", 1), lambda: delattr(task, "path")):
        with pytest.raises(AttributeError, match="Keep is immutable"):
            change()


def test_secrets_are_all_found_and_none_is_shown():
    """Every text below a secret parameter is a secret; repr masks them all, equal tasks hash alike."""
    task = Guarded(path="/x", password="hunter2", tokens=["t0ken", "s3cond"], headers={"Auth": {"deep": ["b3arer"]}})
    assert sorted(task.secrets()) == ["b3arer", "hunter2", "s3cond", "t0ken"]
    assert repr(task) == "guarded(path='/x', size=3, tags=['a'], password=***, tokens=***, headers=***)"
    assert str(task) == "%s" % task == repr(task)
    assert hash(task) == hash(Guarded(**task.args()))
    assert not list(Keep(path="/x").secrets())


@given(secret=st.text(alphabet="sekrt", min_size=12, max_size=40))
def test_errors_show_no_secret(secret):
    """However a task with secrets is refused, the message has none of them."""
    wrong = [
        {"password": secret + "\n"},
        {"password": [secret]},
        {"password": "fine", "tokens": {secret: 1}},
        {"password": "fine", "tokens": ["ok", secret + "\0"]},
        {"password": "fine", "headers": [secret]},
        {"password": "fine", "headers": {"a": secret.encode()}},
        {"password": secret, "size": 11},
        {"password": "/" + secret, "path": "/" + secret},
    ]
    for args in wrong:
        with pytest.raises(ParamError) as caught:
            Guarded(**dict({"path": "/"}, **args))
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_contradictions_are_refused_in_the_tasks_name():
    """check() has the last word."""
    with pytest.raises(ParamError, match="^guarded: the password is the path$"):
        Guarded(path="/hunter2", password="/hunter2")


def test_a_secret_that_is_a_number_is_a_secret():
    """Numbers given for text are text."""
    assert list(Guarded(path="/", password=12345678).secrets()) == ["12345678"]


@pytest.mark.parametrize("taken", ["name", "check", "plan", "args", "secrets", "refuse", "parameters"])
def test_a_parameter_cannot_take_a_name_that_tasks_use(taken):
    """A class that would lose a parameter, or a method, is refused when it is written."""
    with pytest.raises(TypeError, match=r"Wrong\.%s is no parameter" % taken):
        type(Task)("Wrong", (Task,), {"__annotations__": {taken: "bool"}, taken: param(Boolean(), "x")}, name="wrong")


@pytest.mark.parametrize("spec", [5, field(), None])
def test_a_field_that_is_no_parameter_is_refused(spec):
    """Every annotated attribute has a kind."""
    with pytest.raises(TypeError, match=r"Wrong\.limit is no parameter"):
        type(Task)("Wrong", (Task,), {"__annotations__": {"limit": "int"}, "limit": spec}, name="wrong")


def test_a_wrong_default_is_found_when_the_task_is_made():
    """Defaults are checked like values."""
    wrong = type(Task)(
        "Wrong", (Task,), {"__annotations__": {"size": "int"}, "size": param(Size(), "x", default="big")}, name="wrong"
    )
    with pytest.raises(ParamError, match="wrong: size: 'big' is no size"):
        wrong()


def test_a_task_is_a_record_with_everything_to_write():
    """The base does nothing by itself, but for verify."""
    task = Nothing()
    assert isinstance(task, Record)
    for call in (task.probe, lambda: task.plan(None), lambda: task.apply(None)):
        with pytest.raises(NotImplementedError):
            call()
    assert task.verify(Plan()) is None


def test_a_task_error_carries_data():
    """What helps to understand a failure goes with it."""
    error = TaskError("no good", log=["line"])
    assert (str(error), error.data) == ("no good", {"log": ["line"]})
