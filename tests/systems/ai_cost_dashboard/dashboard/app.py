"""The web service."""

import contextlib
import hmac
import logging
import resource
import time

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from dashboard import database, faults, forecast, jobs, logs, settings
from dashboard.release import VERSION

logs.begin()
log = logging.getLogger("dashboard.app")
faults.at_start()
STARTED = time.time()
COUNTS = {"requests_total": 0, "errors_total": 0}


@contextlib.asynccontextmanager
async def life(app):
    jobs.begin()
    log.info("version %s is up", VERSION)
    yield
    jobs.end()
    log.info("version %s is down", VERSION)


app = FastAPI(title="AI cost dashboard", version=VERSION, lifespan=life)


@app.middleware("http")
async def watch(request, go_on):
    began = time.monotonic()
    COUNTS["requests_total"] += 1
    try:
        answer = await go_on(request)
    except Exception:
        COUNTS["errors_total"] += 1
        log.exception("unhandled error in %s", request.url.path, extra={"path": request.url.path})
        return JSONResponse({"detail": "internal error"}, 500)
    if answer.status_code >= 500:
        COUNTS["errors_total"] += 1
    seconds = round(time.monotonic() - began, 4)
    log.info("answered", extra={"path": request.url.path, "status": answer.status_code, "seconds": seconds})
    return answer


app.add_middleware(faults.Middleware)


def admin(authorization: str = Header("")):
    """Refuse those without the token, where one is set."""
    if settings.ADMIN_TOKEN and not hmac.compare_digest(authorization, "Bearer " + settings.ADMIN_TOKEN):
        raise HTTPException(401, "no valid token")


def reply(found):
    from fastapi.encoders import jsonable_encoder

    return JSONResponse(jsonable_encoder(found), 503 if found["status"] == "unhealthy" else 200)


@app.get("/health")
def health():
    state = database.health()["status"]
    return reply({"status": state, "database": state, "api_version": VERSION})


@app.get("/health/detailed")
def detailed():
    db = database.health()
    running = jobs.scheduler.running
    status = db["status"]
    if status == "healthy" and (faults.value("degraded") is not None or not running):
        status = "degraded"
    checks = {
        "database": db,
        "scheduler": {"status": "healthy" if running else "unhealthy"},
        "forecast": forecast.health(),
    }
    return reply(
        {"status": status, "version": VERSION, "uptime_seconds": round(time.time() - STARTED), "checks": checks}
    )


@app.get("/health/db")
def health_db():
    return reply(database.health())


@app.get("/health/scheduler")
def health_scheduler():
    return reply(jobs.health())


@app.get("/metrics")
def metrics():
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize()
    uptime = round(time.time() - STARTED, 1)
    return {
        "application": {**COUNTS, "uptime_seconds": uptime, "version": VERSION},
        "system": {"memory_rss_bytes": resident, "cpu_seconds": round(used.ru_utime + used.ru_stime, 2)},
    }


@app.post("/api/scheduler/trigger/{job}", status_code=202, dependencies=[Depends(admin)])
def trigger(job: str):
    if job not in settings.CRONS:
        raise HTTPException(404, "there is no such job")
    try:
        return {"status": "accepted", "job": job, "run_id": jobs.trigger(job)}
    except jobs.Busy:
        raise HTTPException(409, "the job runs already") from None


@app.get("/api/scheduler/runs/{number}")
def run(number: int):
    found = jobs.find(number)
    if found is None:
        raise HTTPException(404, "there is no such run")
    return found


@app.get("/api/forecast/health")
def forecast_health():
    return reply(forecast.health())


class Wish(BaseModel):
    user_id: str
    horizon_days: int = Field(30, ge=1, le=365)


@app.post("/api/forecast/generate")
def generate(wish: Wish):
    try:
        return {"user_id": wish.user_id, "forecast": forecast.generate(wish.user_id, wish.horizon_days)}
    except forecast.TooLittle as error:
        log.warning("forecast: %s", error, extra={"user_id": wish.user_id})
        raise HTTPException(422, str(error)) from None
    except Exception as error:
        log.exception("forecast failed for user_id %s", wish.user_id, extra={"user_id": wish.user_id})
        raise HTTPException(500, "forecast failed: " + type(error).__name__) from None
