"""Errors of the last hour in a large log: the task `log_errors` against `grep`, in turn, in one run.

    python benchmarks/log_errors.py                          # 4 GiB that span 30 days, medians of 3
    python benchmarks/log_errors.py --size 512 --only task,grep --folder /var/tmp

Cases: `task`, the payload on this machine over the local carrier, as on a host; `grep`, which finds the same lines by
their hour; `runbook`, the usual `grep ERROR | tail -n 1000 | wc -l`, which counts errors of any age. Each is run with the
file out of the page cache, and once more with it there. What matters beside the ratio is the share of the file that
was read (by the task's own account; "then cached" is the kernel's, read-ahead included): the program fails when the task reads 1 % or more, or counts something else than grep.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opslib import Fleet, Target, tasks

DAYS = 30
MIB = 1 << 20
LINE = b"%s,%03d %s app.api request %s of user 10.1.2.%d took %d ms path=/api/costs/daily status=%d worker=%d\n"


def write(path: Path, size: int, now: float) -> None:
    """Write a log of about this size (bytes) that ends now; one line in a hundred is an error."""
    numbers = range(100)
    lines = [
        LINE
        % (
            b"@" * 19,
            number * 9,
            b"ERROR" if number == 50 else b"INFO",
            os.urandom(8).hex().encode(),
            number,
            number,
            500 if number == 50 else 200,
            number % 4,
        )
        for number in numbers
    ]
    block = b"".join(lines)
    count = max(size // len(block), 1)
    pause = DAYS * 86400 / count
    with path.open("wb", buffering=8 * MIB) as file:
        for number in range(count):
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - (count - 1 - number) * pause)).encode()
            file.write(block.replace(b"@" * 19, stamp))
        file.flush()
        os.fsync(file.fileno())


def forget(path: Path) -> None:
    """Take a file out of the page cache."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident(path: Path) -> str:
    """Return the bytes of a file that are in the page cache, as fincore(1) says: the kernel's word on what was read."""
    words = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def by_task(path: Path) -> tuple[int, int]:
    """Return the errors that the task counts and the bytes that it reads."""
    with Fleet([Target(name="here", carrier="local", interpreter=sys.executable)]) as fleet:
        report = fleet.run([tasks.log_errors(paths=[str(path)], timezone="UTC")])
    report.raise_for_failures()
    (step,) = report.hosts["here"].steps
    return step.data["count"], step.data["bytes_read"]


def by_grep(path: Path, now: float) -> tuple[int, int]:
    """Return the errors that grep finds in the hours that the last hour touches, judged by their own times."""
    hours = [time.strftime("%Y-%m-%d %H:", time.gmtime(now - ago)) for ago in (3600, 0)]
    pattern = f"^({'|'.join(hours)}).* ERROR "
    found = subprocess.run(
        ["grep", "-aE", pattern, str(path)],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        check=False,
    ).stdout
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - 3600)).encode()
    return sum(line[:19] >= since for line in found.splitlines()), path.stat().st_size


def by_runbook(path: Path) -> tuple[int, int]:
    """Return what the runbook's command counts."""
    grep = subprocess.Popen(["grep", "ERROR", str(path)], stdout=subprocess.PIPE)
    tail = subprocess.run(["tail", "-n", "1000"], stdin=grep.stdout, stdout=subprocess.PIPE, check=True)
    assert grep.stdout is not None
    grep.stdout.close()
    grep.wait()
    return tail.stdout.count(b"\n"), path.stat().st_size


def main() -> None:
    """Write the log, run the cases in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096, help="of the log, in MiB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="task,grep,runbook", help="cases, separated by commas")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the log is written; it is removed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-logs-") as name:
        path = Path(name, "app.log")
        began, now = time.perf_counter(), time.time()
        write(path, arguments.size * MIB, now)
        size = path.stat().st_size
        print(f"{size / MIB:.0f} MiB over {DAYS} days, written in {time.perf_counter() - began:.0f} s", flush=True)
        cases: dict[str, Callable[[], tuple[int, int]]] = {
            "task": lambda: by_task(path),
            "grep": lambda: by_grep(path, time.time()),
            "runbook": lambda: by_runbook(path),
        }
        chosen = {key: cases[key] for key in arguments.only.split(",")}
        rows = [
            "| case | file | median | errors | bytes read | share | then cached | times the task |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for place in ("not cached", "cached"):
            seconds: dict[str, list[float]] = {key: [] for key in chosen}
            answers: dict[str, tuple[int, int]] = {}
            kept: dict[str, str] = {}
            for _run in range(arguments.runs):
                for key, case in chosen.items():
                    if place == "not cached":
                        forget(path)
                    began = time.perf_counter()
                    answers[key] = case()
                    seconds[key].append(time.perf_counter() - began)
                    kept[key] = resident(path)
            for key in chosen:
                median, (errors, read) = statistics.median(seconds[key]), answers[key]
                ratio = f"{median / statistics.median(seconds['task']):.1f}" if "task" in seconds else "-"
                rows.append(
                    f"| {key} | {place} | {median:.2f} s | {errors} | {read} | {100 * read / size:.3f} % |"
                    f" {kept[key]} | {ratio} |"
                )
            judge(answers, size)
    print("\n".join(rows))


def judge(answers: dict[str, tuple[int, int]], size: int) -> None:
    """End the benchmark when the cases did not do the same work, or the task read too much."""
    if "task" in answers:
        count, read = answers["task"]
        if read >= size / 100:
            sys.exit(f"the task read {read} of {size} bytes, 1 % or more")
        if "grep" in answers and abs(count - answers["grep"][0]) > max(5, count // 20):  # the hour moves on meanwhile
            sys.exit(f"the task counts {count} errors, grep {answers['grep'][0]}")


if __name__ == "__main__":
    main()
