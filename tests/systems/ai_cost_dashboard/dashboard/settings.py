"""Settings, from the environment alone."""

import os
import sys

from dashboard.release import REQUIRED

CRONS = {
    "anthropic_collection": "*/15 * * * *",
    "openai_collection": "5 * * * *",
    "aggregate_refresh": "30 2 * * *",
    "forecast_training": "0 3 * * sun",
}

missing = [name for name in REQUIRED if not os.environ.get(name)]
if missing:
    sys.exit("missing environment variable: " + ", ".join(missing))

DATABASE_URL = os.environ.get("DATABASE_URL", "")
PORT = int(os.environ.get("PORT", "8000"))
LOG_DIR = os.environ.get("LOG_DIR", "logs")
TIMEZONE = os.environ.get("SCHEDULER_TIMEZONE", "UTC")
ADMIN_TOKEN = os.environ.get("ADMIN_TOKEN", "")
FAULTS_FILE = os.environ.get("FAULTS_FILE", "/run/ai-cost-dashboard/faults")


def cron(job):
    """Return the cron expression of a job; CRON_OPENAI_COLLECTION sets that of openai_collection."""
    return os.environ.get("CRON_" + job.upper(), CRONS[job])
