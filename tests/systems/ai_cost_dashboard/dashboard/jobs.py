"""Scheduled jobs, each run of which is written into the table job_runs."""

import logging
import random
import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from dashboard import database, faults, settings

log = logging.getLogger("dashboard.scheduler")
scheduler = BackgroundScheduler(timezone=settings.TIMEZONE)


class Busy(Exception):
    """The job runs already."""


def begin():
    """Start the scheduler."""
    if faults.value("scheduler_off") is not None:
        log.error("scheduler not started")
        return
    for job in settings.CRONS:
        trigger = CronTrigger.from_crontab(settings.cron(job), timezone=settings.TIMEZONE)
        scheduler.add_job(run, trigger, id=job, args=[job, "schedule"], max_instances=1, coalesce=True)
    scheduler.start()
    log.info("scheduler started with %d jobs", len(settings.CRONS))


def end():
    """Stop the scheduler."""
    if scheduler.running:
        scheduler.shutdown(wait=False)


def trigger(job):
    """Start a job now, and return the number of its run."""
    number = _enter(job, "trigger")
    threading.Thread(target=_work, args=(job, number), daemon=True).start()
    return number


def run(job, why):
    """Run a job to its end."""
    try:
        _work(job, _enter(job, why))
    except Busy:
        log.warning("scheduler: %s still runs", job, extra={"job": job})


def _enter(job, why):
    with database.cursor() as db:
        db.execute("SELECT pg_advisory_xact_lock(20260212)")
        db.execute("SELECT id FROM job_runs WHERE job = %s AND status = 'running'", (job,))
        if db.fetchone():
            raise Busy(job)
        db.execute("INSERT INTO job_runs (job, trigger) VALUES (%s, %s) RETURNING id", (job, why))
        return db.fetchone()["id"]


def _work(job, number):
    log.info("scheduler: %s begins", job, extra={"job": job})
    try:
        records = _act(job)
    except Exception as error:
        log.exception("scheduler: %s failed", job, extra={"job": job})
        _leave(number, "failed", 0, "%s: %s" % (type(error).__name__, error))
    else:
        log.info("scheduler: %s wrote %d records", job, records, extra={"job": job})
        _leave(number, "succeeded", records, None)


def _act(job):
    if faults.value("job_hangs") == job:
        time.sleep(86400)
    if faults.value("job_slow"):
        time.sleep(float(faults.value("job_slow")))
    if faults.value("job_fails") == job:
        raise RuntimeError("provider answered 401 Unauthorized")
    with database.cursor() as db:
        if job == "aggregate_refresh":
            db.execute("REFRESH MATERIALIZED VIEW daily_costs")
            return 1
        if job == "forecast_training":
            db.execute("SELECT count(DISTINCT user_id) AS users FROM cost_records")
            return db.fetchone()["users"]
        provider = job.partition("_")[0]
        db.execute(
            "INSERT INTO cost_records (user_id, provider, day, cost_usd) SELECT id, %s, current_date, %s FROM users"
            " ON CONFLICT (user_id, provider, day) DO UPDATE SET cost_usd = excluded.cost_usd",
            (provider, round(random.uniform(1, 20), 2)),
        )
        return db.rowcount


def _leave(number, status, records, error):
    with database.cursor() as db:
        db.execute(
            "UPDATE job_runs SET finished_at = now(), status = %s, records = %s, error = %s WHERE id = %s",
            (status, records, error, number),
        )


def find(number):
    """Return a run."""
    with database.cursor() as db:
        db.execute("SELECT * FROM job_runs WHERE id = %s", (number,))
        return db.fetchone()


def health():
    """Return what the scheduler does and did."""
    with database.cursor() as db:
        db.execute("SELECT * FROM job_runs ORDER BY started_at DESC, id DESC LIMIT 50")
        history = db.fetchall()
    running = scheduler.running
    jobs = [
        {"id": job.id, "cron": settings.cron(job.id), "next_run": job.next_run_time} for job in scheduler.get_jobs()
    ]
    return {
        "status": "healthy" if running else "unhealthy",
        "running": running,
        "timezone": settings.TIMEZONE,
        "jobs": jobs,
        "job_history": history,
    }
