"""What must be true of a host after a job was started; read by testinfra, not by opslib."""


def test_newest_run_of_the_job_succeeded(page, variables):
    """The newest run of the job has ended, and well."""
    job = variables.get("scheduler_job")
    assert job, "say which job was started: -e scheduler_job=…"
    runs = [run for run in page["job_history"] if run["job"] == job]
    assert runs, f"{job} never ran"
    assert runs[0]["finished_at"], f"{job} still runs"
    assert runs[0]["status"] in ("succeeded", "success", "completed"), f"{job} ended with {runs[0]['status']}"
