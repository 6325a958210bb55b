"""What must be true of a host whose scheduled jobs run; read by testinfra, not by opslib."""


def test_scheduler_runs(page):
    """The scheduler says that it runs."""
    assert page.get("running", True), "the scheduler does not run"


def test_jobs_are_there(page, variables):
    """The scheduler has the jobs that are expected."""
    if "jobs" in page:
        missing = set(variables.get("scheduler_jobs", {})) - {job.get("id", job.get("name")) for job in page["jobs"]}
        assert not missing, f"the scheduler has no job {', '.join(sorted(missing))}"


def test_newest_run_of_each_job_ended_well(page):
    """No job's newest run failed."""
    newest = {}
    for run in page.get("job_history", []):
        newest.setdefault(run["job"], run)
    failed = [f"{job} ({run.get('error')})" for job, run in newest.items() if run["status"] == "failed"]
    assert not failed, f"failed last: {', '.join(failed)}"
