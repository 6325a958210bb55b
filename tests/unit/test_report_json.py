"""The JSON document, against the published schema."""

from __future__ import annotations

import copy
import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from opslib.output.document import to_json
from opslib.result import HostResult, Report, Status
from support.reports import hostile, ordinary, report, reports, step

SCHEMA: dict[str, Any] = json.loads(resources.files("opslib").joinpath("schema/report-1.json").read_text("utf-8"))
CHECKER = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_object_of_the_schema_is_closed_and_complete() -> None:
    closed = [SCHEMA, *(part for part in SCHEMA["$defs"].values() if part.get("type") == "object")]
    assert len(closed) == 4
    for part in closed:
        assert part["additionalProperties"] is False
        assert sorted(part["required"]) == sorted(part["properties"])


def test_the_document_is_the_report_exactly() -> None:
    for made in (ordinary(), ordinary(check=True)):
        document = json.loads(to_json(made))
        assert document == made.to_dict()
        CHECKER.validate(document)
        assert Report.from_dict(document) == made


def test_the_document_has_what_the_schema_promises() -> None:
    document = json.loads(to_json(ordinary()))
    assert document["schema"] == 1
    assert document["started"] == "2026-03-01T02:03:04.567Z"
    assert document["exit_code"] == 2
    assert list(document["hosts"])[:2] == ["web1", "web2"]


@settings(max_examples=50)
@given(reports())
def test_any_report_becomes_a_valid_document(made: Report) -> None:
    text = to_json(made)
    assert text.isascii()
    assert text.endswith("}\n")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    CHECKER.validate(json.loads(text, parse_constant=refuse))


def test_a_hostile_report_is_ascii_without_control_characters() -> None:
    text = to_json(hostile())
    assert text.isascii()
    assert all(char.isprintable() or char == "\n" for char in text)


def test_numbers_that_json_does_not_know_become_null() -> None:
    odd = step(
        "x",
        data={
            "a": float("nan"),
            "b": [float("inf"), 1.5],
            "c": {
                1,
            },
        },
    )
    document = json.loads(to_json(report(HostResult.of_steps("h", [odd]))))
    assert document["hosts"]["h"]["steps"][0]["data"] == {"a": None, "b": [None, 1.5], "c": "{1}"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.update(extra=1),
        lambda doc: doc.update(schema=2),
        lambda doc: doc.update(exit_code=1),
        lambda doc: doc.update(started="yesterday"),
        lambda doc: doc.pop("run_id"),
        lambda doc: doc["hosts"]["web1"].update(status="fine"),
        lambda doc: doc["hosts"]["web1"]["steps"][0].update(more=1),
        lambda doc: doc["hosts"]["web1"]["steps"][0].pop("reason"),
        lambda doc: doc["hosts"]["web1"]["steps"][1]["changes"][0].update(kind="patch"),
        lambda doc: doc["hosts"]["web1"]["steps"][0].update(data=[]),
    ],
)
def test_the_schema_refuses_what_is_no_report(spoil: Any) -> None:
    document = copy.deepcopy(ordinary().to_dict())
    CHECKER.validate(document)
    spoil(document)
    with pytest.raises(jsonschema.ValidationError):
        CHECKER.validate(document)


def test_statuses_are_those_of_the_schema() -> None:
    assert SCHEMA["$defs"]["status"]["enum"] == [status.value for status in Status]
