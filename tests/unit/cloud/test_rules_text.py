"""Temporary security rules as text: bound in every allow, and taken out again to the letter."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.cloud.gcp.rules_text import UnfitError, bound, insert, strip, temporary_of

UNTIL = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
LIMIT = f"request.time < timestamp.value({int(UNTIL.timestamp() * 1000)})"
RULES = """service cloud.firestore {
  match /databases/{database}/documents { // { ' "
    /* match /x { */
    match /a/{b=**} { allow read: if "}" == '{' && resource.data.x == "/*"; }
  }
}
service firebase.storage { match /b/{bucket}/o { } }
"""


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("match /a/{b} { allow read; }", f"match /a/{{b}} {{ allow read: if {LIMIT}; }}"),
        ("match /a/{b}{allow get,list:if x||y;}", f"match /a/{{b}}{{allow get,list: if ( x||y) && {LIMIT};}}"),
        (
            "match /a/{b} { match /c/{d} { allow write: if f(a)[0] == ';' ; } allow read; }",
            f"match /a/{{b}} {{ match /c/{{d}} {{ allow write: if ( f(a)[0] == ';' ) && {LIMIT}; }} allow read: if {LIMIT}; }}",
        ),
        (
            "match /a/{b} { // allow read;\n allow read; }",
            f"match /a/{{b}} {{ // allow read;\n allow read: if {LIMIT}; }}",
        ),
        (
            "match /a/{b} { allow read: if x // why;\n ; }",
            f"match /a/{{b}} {{ allow read: if ( x // why;\n ) && {LIMIT}; }}",
        ),
    ],
)
def test_every_allow_is_bound_to_the_time(blocks, expected):
    assert " ".join(bound(blocks, UNTIL).split()).replace("if (x", "if ( x") == " ".join(expected.split())


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ("", "grants nothing"),
        ("allow read;", "no block such as"),
        ("match /a/{b} { allow read; } allow write;", "no block such as"),
        ("match /a/{b} { allow read; }\n}", "line 2: '}' closes nothing"),
        ("match /a/{b} { allow read; ", "never closed"),
        ("match /a/{b} { allow read: if (x; }", "closes nothing|never closed"),
        ("match /a/{b} { allow read: if x }", "needs `if …;`"),
        ("match /a/{b} { allow read: if ; }", "must end in ';'"),
        ("match /a/{b} { allow read: if x\n allow write: if y; }", "must end in ';'"),
        ("match /a/{b} { allow read if x; }", "cannot be read"),
        ("match /a/{b} { allow READ: if x; allow get; }", "cannot be read"),
        ("match /a/{b} { allow read: if 'x; }", "a text does not end"),
        ("match /a/{b} { // opslib: temporary rules until\n allow read; }", "begins with 'opslib:'"),
        ("service cloud.firestore { match /a/{b} { allow read; } }", "no block such as"),
    ],
)
def test_what_would_grant_more_is_refused(blocks, told):
    with pytest.raises(UnfitError, match=told):
        bound(blocks, UNTIL)


@pytest.mark.parametrize("name", ["request", "resource", "timestamp"])
def test_names_that_the_time_is_asked_of_cannot_be_taken(name):
    with pytest.raises(UnfitError, match="may not be called"):
        bound(f"match /a/{{ {name} }} {{ allow read; }}", UNTIL)


def test_blocks_go_where_they_count_for_all_documents_and_come_out_to_the_letter():
    with_them = insert(RULES, "match /t/{u} { allow read; }", UNTIL, "projects/p.q:r/rulesets/1")
    found = temporary_of(with_them)
    assert (found.until, found.ruleset, found.blocks) == (
        UNTIL,
        "projects/p.q:r/rulesets/1",
        "match /t/{u} { allow read; }",
    )
    assert strip(with_them) == RULES
    assert with_them.index("/t/{u}") < with_them.index("firebase.storage")
    assert re.search(r"end of temporary rules\n\}\s*\}\s*service firebase", with_them)


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "service cloud.firestore { }",
        "service firebase.storage { match /databases/{d}/documents { } }",
        "// match /databases/{d}/documents {",
    ],
)
def test_rules_without_such_a_place_are_refused(rules):
    with pytest.raises(UnfitError, match="the rules have no"):
        insert(rules, "x", UNTIL, "r")


def test_nothing_is_added_twice():
    once = insert(RULES, "match /t/{u} { allow read; }", UNTIL, "r")
    with pytest.raises(UnfitError, match="already"):
        insert(once, "match /v/{w} { allow read; }", UNTIL, "r")


@given(noise=st.text(st.sampled_from("{}()'\"/*; \nallowmatchif:=x,$"), max_size=60))
def test_whatever_is_taken_is_bound_in_every_allow(noise):
    """Never is there an allow without the limit, however odd the blocks."""
    try:
        text = bound(f"match /a/{{b}} {{ allow read: if {noise}; }}", UNTIL)
    except UnfitError:
        return
    code = re.sub(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", "", text, flags=re.DOTALL)
    assert len(re.findall(r"\ballow\b", code)) == code.count(f"{LIMIT};")
    assert code.count("{") == code.count("}")


@given(tail=st.text(st.characters(codec="utf-8"), max_size=80), blocks=st.text(max_size=80))
def test_what_was_added_is_taken_out_to_the_letter(tail, blocks):
    rules = RULES + "// " + tail.replace("// opslib:", "")
    blocks = blocks.replace("// opslib:", "")
    assert strip(insert(rules, blocks, UNTIL, "r")) == rules
