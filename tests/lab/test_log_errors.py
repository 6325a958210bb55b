"""The task `log_errors` on a real host: it counts what `grep` counts, over rotated and compressed neighbours too."""

from __future__ import annotations

import json
import time

import pytest

from opslib import Fleet, Status, tasks
from opslib.lab import Lab, LabHost
from support.apply import Apply
from support.hosts import target
from support.witness import Witnesses

LOG = "/srv/logs/app.log"


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - seconds_ago))


@pytest.fixture(scope="module", autouse=True)
def logs(server: LabHost) -> None:
    """Two hours of a log, cut into three by a real logrotate that compresses; the latest part is still written to."""
    config = f"{LOG} {{\n  rotate 5\n  compress\n  delaycompress\n  missingok\n}}\n"
    server.write("/etc/rotate-test", config, mode=0o600)
    for first, last in ((7200, 3000), (2990, 1200), (1190, 0)):
        lines = []
        for second in range(first, last, -10):
            level = "ERROR" if second % 100 == 0 else "INFO"
            lines.append(
                f"{stamp(second)},123 {level} request {second} of user 10.0.0.{second % 250} token=hush-{second}"
            )
            if second % 500 == 0:
                lines += ["Traceback (most recent call last):", '  File "x.py", line 5', "KeyError: 'ERROR in here'"]
        if last:
            server.write(LOG, "\n".join(lines) + "\n")
            server.run(["logrotate", "--force", "--state", "/tmp/state", "/etc/rotate-test"])
            continue
        server.write(LOG, "\n".join(lines) + "\n")
    rows = [
        {"ts": time.time() - 100 * n, "level": "error" if n % 3 else "info", "msg": f"no {n}", "user": {"id": n % 2}}
        for n in range(30, 0, -1)
    ]
    server.write("/srv/json/app.json", "".join(json.dumps(row) + "\n" for row in rows))


def test_the_fixture_is_what_it_should_be(server: LabHost, witness: Witnesses) -> None:
    names = witness(server).check_output("ls /srv/logs").split()
    assert names == ["app.log", "app.log.1", "app.log.2.gz"]


def test_an_hour_over_rotated_and_compressed_logs(
    server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    task = tasks.log_errors(paths=[LOG], timezone="UTC", since="3650s")  # no error is near the beginning
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    assert (step.status, step.changed, step.warnings) == (Status.OK, False, ())
    begin = step.data["since"].replace("T", " ").rstrip("Z")
    awk = "zcat -f /srv/logs/* | grep ' ERROR request' | awk -v b=%s '($1 \" \" substr($2,1,8)) >= b' | wc -l"
    counted = int(witness(server).check_output(awk, begin))
    assert 32 <= counted <= 36
    assert step.data["count"] == counted
    assert step.data["pattern_count"] == 2
    assert [one["count"] for one in step.data["patterns"]][0] > [one["count"] for one in step.data["patterns"]][1]
    often, rare = step.data["patterns"]
    assert rare["pattern"].endswith("| KeyError: 'ERROR in here'")
    ends = witness(server).check_output(f"{awk.removesuffix(' | wc -l')} | cut -c1-19 | sort | sed -n '1p;$p'", begin)
    shown = [step.data[end].replace("T", " ").rstrip("Z") for end in ("first", "last")]
    assert shown == ends.splitlines()
    assert min(often["first"], rare["first"]) == step.data["first"] < rare["last"] <= often["last"] == step.data["last"]
    (sample,) = rare["samples"]
    assert "Traceback (most recent call last)" in sample["text"]
    assert {row["path"] for row in step.data["files"]} == {LOG, f"{LOG}.1", f"{LOG}.2.gz"}
    assert "hush" not in str(step)


def test_text_that_only_mentions_an_error_is_none(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    server.write("/srv/logs/calm.log", f"{stamp(60)} INFO retry after ERROR\n{stamp(50)} ERRORS=0 fine\n")
    (step,) = apply(server, tasks.log_errors(paths=["/srv/logs/calm.log"], timezone="UTC", fail=0)).steps
    assert witness(server).check_output("grep -c ERROR /srv/logs/calm.log") == "2"
    assert (step.status, step.data["count"]) == (Status.OK, 0)
    server.run(["rm", "/srv/logs/calm.log"])


@pytest.mark.parametrize(
    ("limits", "status", "words"),
    [
        ({"fail": 10}, Status.FAILED, "(fail: more than 10)"),
        ({"fail": 1000}, Status.OK, ""),
        ({"warn": 3, "fail": 1000}, Status.OK, "(warn: more than 3)"),
        ({"paths": ["/srv/logs/none.log"]}, Status.FAILED, "/srv/logs/none.log does not exist"),
        ({"timezone": "Nowhere/City"}, Status.FAILED, "Nowhere/City"),
    ],
)
def test_thresholds_and_what_is_missing(
    server: LabHost, apply: Apply, limits: dict[str, object], status: Status, words: str
) -> None:
    (step,) = apply(server, tasks.log_errors(**{"paths": [LOG], "timezone": "UTC", **limits})).steps
    assert step.status is status
    assert words in f"{step.error} {step.warnings}"


def test_json_by_field(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    (step,) = apply(server, tasks.log_errors(paths=["/srv/json/*"], fields={"user.id": "1"})).steps
    look = 'grep \'"level": "error"\' /srv/json/app.json | grep -c \'"id": 1\''
    assert step.data["count"] == int(witness(server).check_output(look)) == 10


def test_silence_is_remarked(server: LabHost, apply: Apply) -> None:
    server.write("/srv/quiet/q.log", f"{stamp(1800)} INFO the last words\n")
    (step,) = apply(server, tasks.log_errors(paths=["/srv/quiet/q.log"], timezone="UTC", silent="10m")).steps
    assert step.status is Status.OK
    assert any("nothing was logged for 30m" in warning for warning in step.warnings)


def test_errors_are_laid_to_a_release_or_to_the_host(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    """The task `error_rate`: new errors, an old one that goes on as before, and a release ten minutes ago."""
    rows = [f"{stamp(ago)} ERROR slow query took {ago} ms" for ago in range(4000, 0, -600)]
    rows += [f"{stamp(ago)} ERROR cannot parse invoice {ago}" for ago in range(360, 0, -10)]
    server.write("/srv/shop/app.log", "\n".join(sorted(rows)) + "\n")
    records = "/var/lib/opslib/releases/shop/releases.jsonl"
    at = stamp(600).replace(" ", "T") + "Z"
    server.write(records, json.dumps({"id": "r3", "ref": "v3", "commit": "abc123" * 6, "at": at}) + "\n")
    task = tasks.error_rate(paths=["/srv/shop/app.log"], timezone="UTC")
    (step,) = apply(server, task).steps
    assert step.status is Status.FAILED
    assert "began 4 minutes after release v3 (abc123abc123): ERROR cannot parse invoice <n> (36 times)" in str(
        step.error
    )
    assert str(step.error).endswith("; roll release v3 (abc123abc123) back, or mend it")
    look = f"grep -c 'slow query' <(awk -v b='{at.replace('T', ' ')}' '($1 \" \" $2) < b' /srv/shop/app.log)"
    assert step.data["before"]["count"] == int(witness(server).check_output("bash -c %s", look)) == 6
    assert [(one["count"], one["before_count"], one["new"]) for one in step.data["patterns"]][0] == (36, 0, True)
    server.run(["rm", records])
    server.fill_disk()
    try:
        (alone,) = apply(server, task).steps
    finally:
        server.free_disk()
    assert (alone.data["release"], alone.data["related"]) == (None, False)
    assert "relieve the host first: " in str(alone.error)
    server.run(["rm", "-r", "/var/lib/opslib/releases", "/srv/shop"])


def test_little_is_read_of_a_large_log(server: LabHost, apply: Apply) -> None:
    program = (
        "import time\nnow = time.time()\nwith open('/srv/large.log', 'w') as f:\n"
        " for n in range(400000):\n"
        "  t = time.gmtime(now - (400000 - n) * 5)\n"
        "  f.write('%s %s x%090d\\n' % (time.strftime('%F %T', t), 'ERROR' if n % 100 == 0 else 'INFO', n))\n"
    )
    server.run(["python3", "-c", program])
    (step,) = apply(server, tasks.log_errors(paths=["/srv/large.log"], timezone="UTC")).steps
    assert step.status is Status.OK
    assert step.data["count"] in (7, 8)
    assert step.data["bytes_read"] < step.data["log_bytes"] / 50
    server.run(["rm", "/srv/large.log"])


def test_a_log_that_may_not_be_read(lab: Lab, server: LabHost) -> None:
    server.write("/srv/private/app.log", f"{stamp(5)} ERROR x\n", mode=0o600)
    with Fleet([target(lab, server, user="nosudo")]) as fleet:
        (step,) = fleet.run([tasks.log_errors(paths=["/srv/private/app.log"])]).hosts[server.name].steps
    assert step.status is Status.FAILED
    assert "Permission denied" in str(step.error)
