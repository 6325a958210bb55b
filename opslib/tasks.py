"""The tasks by name, those on hosts and those on cloud services: `tasks.disk_usage(paths=["/"], fail="90%")`.

Each is loaded when it is first asked for, so that importing this module costs nothing.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from opslib.errors import UsageError
from opslib.host.task import Task

if TYPE_CHECKING:
    from opslib.cloud.tasks.cloudwatch_alarms import CloudwatchAlarms as cloudwatch_alarms
    from opslib.cloud.tasks.cloudwatch_dashboard import CloudwatchDashboard as cloudwatch_dashboard
    from opslib.cloud.tasks.cloudwatch_logs import CloudwatchLogs as cloudwatch_logs
    from opslib.cloud.tasks.cloudwatch_metrics import CloudwatchMetrics as cloudwatch_metrics
    from opslib.cloud.tasks.container_autoscaling import ContainerAutoscaling as container_autoscaling
    from opslib.cloud.tasks.container_deploy import ContainerDeploy as container_deploy
    from opslib.cloud.tasks.container_env import ContainerEnv as container_env
    from opslib.cloud.tasks.container_restart import ContainerRestart as container_restart
    from opslib.cloud.tasks.container_rollback import ContainerRollback as container_rollback
    from opslib.cloud.tasks.container_scale import ContainerScale as container_scale
    from opslib.cloud.tasks.container_state import ContainerState as container_state
    from opslib.cloud.tasks.container_status import ContainerStatus as container_status
    from opslib.cloud.tasks.ecr_images import EcrImages as ecr_images
    from opslib.cloud.tasks.ecr_prune import EcrPrune as ecr_prune
    from opslib.cloud.tasks.ecr_repository import EcrRepository as ecr_repository
    from opslib.cloud.tasks.firestore_document import FirestoreDocument as firestore_document
    from opslib.cloud.tasks.firestore_drill import FirestoreDrill as firestore_drill
    from opslib.cloud.tasks.firestore_export import FirestoreExport as firestore_export
    from opslib.cloud.tasks.firestore_import import FirestoreImport as firestore_import
    from opslib.cloud.tasks.firestore_latency import FirestoreLatency as firestore_latency
    from opslib.cloud.tasks.firestore_operations import FirestoreOperations as firestore_operations
    from opslib.cloud.tasks.firestore_restore import FirestoreRestore as firestore_restore
    from opslib.cloud.tasks.firestore_rules import FirestoreRules as firestore_rules
    from opslib.cloud.tasks.firestore_usage import FirestoreUsage as firestore_usage
    from opslib.cloud.tasks.gcs_backups import GcsBackups as gcs_backups
    from opslib.cloud.tasks.gcs_download import GcsDownload as gcs_download
    from opslib.cloud.tasks.gcs_lifecycle import GcsLifecycle as gcs_lifecycle
    from opslib.cloud.tasks.gcs_prune import GcsPrune as gcs_prune
    from opslib.cloud.tasks.gcs_upload import GcsUpload as gcs_upload
    from opslib.cloud.tasks.iam_review import IamReview as iam_review
    from opslib.cloud.tasks.image_push import ImagePush as image_push
    from opslib.cloud.tasks.notify import Notify as notify
    from opslib.cloud.tasks.provider_status import ProviderStatus as provider_status
    from opslib.cloud.tasks.secret_rotation import SecretRotation as secret_rotation
    from opslib.cloud.tasks.sentry_errors import SentryErrors as sentry_errors
    from opslib.cloud.tasks.slo import Slo as slo
    from opslib.cloud.tasks.supabase_backups import SupabaseBackups as supabase_backups
    from opslib.cloud.tasks.supabase_status import SupabaseStatus as supabase_status
    from opslib.cloud.tasks.vercel_deploy import VercelDeploy as vercel_deploy
    from opslib.cloud.tasks.vercel_deployments import VercelDeployments as vercel_deployments
    from opslib.cloud.tasks.vercel_env import VercelEnv as vercel_env
    from opslib.cloud.tasks.vercel_logs import VercelLogs as vercel_logs
    from opslib.cloud.tasks.vercel_promote import VercelPromote as vercel_promote
    from opslib.cloud.tasks.vercel_rollback import VercelRollback as vercel_rollback
    from opslib.cloud.tasks.vercel_status import VercelStatus as vercel_status
    from opslib.host.tasks.capacity_trend import CapacityTrend as capacity_trend
    from opslib.host.tasks.certificates import Certificates as certificates
    from opslib.host.tasks.checklist import Checklist as checklist
    from opslib.host.tasks.deploy import Deploy as deploy
    from opslib.host.tasks.diagnose import Diagnose as diagnose
    from opslib.host.tasks.disk_usage import DiskUsage as disk_usage
    from opslib.host.tasks.env_file import EnvFile as env_file
    from opslib.host.tasks.error_rate import ErrorRate as error_rate
    from opslib.host.tasks.file_audit import FileAudit as file_audit
    from opslib.host.tasks.http_check import HttpCheck as http_check
    from opslib.host.tasks.job_trigger import JobTrigger as job_trigger
    from opslib.host.tasks.listening_ports import ListeningPorts as listening_ports
    from opslib.host.tasks.log_errors import LogErrors as log_errors
    from opslib.host.tasks.log_retention import LogRetention as log_retention
    from opslib.host.tasks.log_size import LogSize as log_size
    from opslib.host.tasks.login_audit import LoginAudit as login_audit
    from opslib.host.tasks.logrotate import Logrotate as logrotate
    from opslib.host.tasks.loose_files import LooseFiles as loose_files
    from opslib.host.tasks.memory_usage import MemoryUsage as memory_usage
    from opslib.host.tasks.memory_watch import MemoryWatch as memory_watch
    from opslib.host.tasks.nft_block import NftBlock as nft_block
    from opslib.host.tasks.os_packages import OsPackages as os_packages
    from opslib.host.tasks.postgres_backup import PostgresBackup as postgres_backup
    from opslib.host.tasks.postgres_check import PostgresCheck as postgres_check
    from opslib.host.tasks.postgres_compare import PostgresCompare as postgres_compare
    from opslib.host.tasks.postgres_proof import PostgresProof as postgres_proof
    from opslib.host.tasks.postgres_queries import PostgresQueries as postgres_queries
    from opslib.host.tasks.postgres_refresh import PostgresRefresh as postgres_refresh
    from opslib.host.tasks.postgres_restore import PostgresRestore as postgres_restore
    from opslib.host.tasks.processes import Processes as processes
    from opslib.host.tasks.python_import import PythonImport as python_import
    from opslib.host.tasks.python_packages import PythonPackages as python_packages
    from opslib.host.tasks.releases import Releases as releases
    from opslib.host.tasks.revoke_access import RevokeAccess as revoke_access
    from opslib.host.tasks.rollback import Rollback as rollback
    from opslib.host.tasks.scheduler_jobs import SchedulerJobs as scheduler_jobs
    from opslib.host.tasks.series_quality import SeriesQuality as series_quality
    from opslib.host.tasks.service import Service as service
    from opslib.host.tasks.stale_credentials import StaleCredentials as stale_credentials
    from opslib.host.tasks.user_forecast import UserForecast as user_forecast
    from opslib.host.tasks.writes import Writes as writes

__all__ = [
    "capacity_trend",
    "certificates",
    "checklist",
    "cloudwatch_alarms",
    "cloudwatch_dashboard",
    "cloudwatch_logs",
    "cloudwatch_metrics",
    "container_autoscaling",
    "container_deploy",
    "container_env",
    "container_restart",
    "container_rollback",
    "container_scale",
    "container_state",
    "container_status",
    "deploy",
    "diagnose",
    "disk_usage",
    "ecr_images",
    "ecr_prune",
    "ecr_repository",
    "env_file",
    "error_rate",
    "file_audit",
    "firestore_document",
    "firestore_drill",
    "firestore_export",
    "firestore_import",
    "firestore_latency",
    "firestore_operations",
    "firestore_restore",
    "firestore_rules",
    "firestore_usage",
    "gcs_backups",
    "gcs_download",
    "gcs_lifecycle",
    "gcs_prune",
    "gcs_upload",
    "get",
    "http_check",
    "iam_review",
    "image_push",
    "job_trigger",
    "listening_ports",
    "log_errors",
    "log_retention",
    "log_size",
    "login_audit",
    "logrotate",
    "loose_files",
    "memory_usage",
    "memory_watch",
    "names",
    "nft_block",
    "notify",
    "os_packages",
    "postgres_backup",
    "postgres_check",
    "postgres_compare",
    "postgres_proof",
    "postgres_queries",
    "postgres_refresh",
    "postgres_restore",
    "processes",
    "provider_status",
    "python_import",
    "python_packages",
    "releases",
    "revoke_access",
    "rollback",
    "scheduler_jobs",
    "secret_rotation",
    "sentry_errors",
    "series_quality",
    "service",
    "slo",
    "stale_credentials",
    "supabase_backups",
    "supabase_status",
    "user_forecast",
    "vercel_deploy",
    "vercel_deployments",
    "vercel_env",
    "vercel_logs",
    "vercel_promote",
    "vercel_rollback",
    "vercel_status",
    "writes",
]

_MODULES = {
    "capacity_trend": "opslib.host.tasks.capacity_trend",
    "certificates": "opslib.host.tasks.certificates",
    "checklist": "opslib.host.tasks.checklist",
    "cloudwatch_alarms": "opslib.cloud.tasks.cloudwatch_alarms",
    "cloudwatch_dashboard": "opslib.cloud.tasks.cloudwatch_dashboard",
    "cloudwatch_logs": "opslib.cloud.tasks.cloudwatch_logs",
    "cloudwatch_metrics": "opslib.cloud.tasks.cloudwatch_metrics",
    "container_autoscaling": "opslib.cloud.tasks.container_autoscaling",
    "container_deploy": "opslib.cloud.tasks.container_deploy",
    "container_env": "opslib.cloud.tasks.container_env",
    "container_restart": "opslib.cloud.tasks.container_restart",
    "container_rollback": "opslib.cloud.tasks.container_rollback",
    "container_scale": "opslib.cloud.tasks.container_scale",
    "container_state": "opslib.cloud.tasks.container_state",
    "container_status": "opslib.cloud.tasks.container_status",
    "deploy": "opslib.host.tasks.deploy",
    "diagnose": "opslib.host.tasks.diagnose",
    "disk_usage": "opslib.host.tasks.disk_usage",
    "ecr_images": "opslib.cloud.tasks.ecr_images",
    "ecr_prune": "opslib.cloud.tasks.ecr_prune",
    "ecr_repository": "opslib.cloud.tasks.ecr_repository",
    "env_file": "opslib.host.tasks.env_file",
    "error_rate": "opslib.host.tasks.error_rate",
    "file_audit": "opslib.host.tasks.file_audit",
    "firestore_document": "opslib.cloud.tasks.firestore_document",
    "firestore_drill": "opslib.cloud.tasks.firestore_drill",
    "firestore_export": "opslib.cloud.tasks.firestore_export",
    "firestore_import": "opslib.cloud.tasks.firestore_import",
    "firestore_latency": "opslib.cloud.tasks.firestore_latency",
    "firestore_operations": "opslib.cloud.tasks.firestore_operations",
    "firestore_restore": "opslib.cloud.tasks.firestore_restore",
    "firestore_rules": "opslib.cloud.tasks.firestore_rules",
    "firestore_usage": "opslib.cloud.tasks.firestore_usage",
    "gcs_backups": "opslib.cloud.tasks.gcs_backups",
    "gcs_download": "opslib.cloud.tasks.gcs_download",
    "gcs_lifecycle": "opslib.cloud.tasks.gcs_lifecycle",
    "gcs_prune": "opslib.cloud.tasks.gcs_prune",
    "gcs_upload": "opslib.cloud.tasks.gcs_upload",
    "http_check": "opslib.host.tasks.http_check",
    "iam_review": "opslib.cloud.tasks.iam_review",
    "image_push": "opslib.cloud.tasks.image_push",
    "job_trigger": "opslib.host.tasks.job_trigger",
    "listening_ports": "opslib.host.tasks.listening_ports",
    "log_errors": "opslib.host.tasks.log_errors",
    "log_retention": "opslib.host.tasks.log_retention",
    "log_size": "opslib.host.tasks.log_size",
    "login_audit": "opslib.host.tasks.login_audit",
    "logrotate": "opslib.host.tasks.logrotate",
    "loose_files": "opslib.host.tasks.loose_files",
    "memory_usage": "opslib.host.tasks.memory_usage",
    "memory_watch": "opslib.host.tasks.memory_watch",
    "nft_block": "opslib.host.tasks.nft_block",
    "notify": "opslib.cloud.tasks.notify",
    "os_packages": "opslib.host.tasks.os_packages",
    "postgres_backup": "opslib.host.tasks.postgres_backup",
    "postgres_check": "opslib.host.tasks.postgres_check",
    "postgres_compare": "opslib.host.tasks.postgres_compare",
    "postgres_proof": "opslib.host.tasks.postgres_proof",
    "postgres_queries": "opslib.host.tasks.postgres_queries",
    "postgres_refresh": "opslib.host.tasks.postgres_refresh",
    "postgres_restore": "opslib.host.tasks.postgres_restore",
    "processes": "opslib.host.tasks.processes",
    "provider_status": "opslib.cloud.tasks.provider_status",
    "python_import": "opslib.host.tasks.python_import",
    "python_packages": "opslib.host.tasks.python_packages",
    "releases": "opslib.host.tasks.releases",
    "revoke_access": "opslib.host.tasks.revoke_access",
    "rollback": "opslib.host.tasks.rollback",
    "scheduler_jobs": "opslib.host.tasks.scheduler_jobs",
    "secret_rotation": "opslib.cloud.tasks.secret_rotation",
    "sentry_errors": "opslib.cloud.tasks.sentry_errors",
    "series_quality": "opslib.host.tasks.series_quality",
    "service": "opslib.host.tasks.service",
    "slo": "opslib.cloud.tasks.slo",
    "stale_credentials": "opslib.host.tasks.stale_credentials",
    "supabase_backups": "opslib.cloud.tasks.supabase_backups",
    "supabase_status": "opslib.cloud.tasks.supabase_status",
    "user_forecast": "opslib.host.tasks.user_forecast",
    "vercel_deploy": "opslib.cloud.tasks.vercel_deploy",
    "vercel_deployments": "opslib.cloud.tasks.vercel_deployments",
    "vercel_env": "opslib.cloud.tasks.vercel_env",
    "vercel_logs": "opslib.cloud.tasks.vercel_logs",
    "vercel_promote": "opslib.cloud.tasks.vercel_promote",
    "vercel_rollback": "opslib.cloud.tasks.vercel_rollback",
    "vercel_status": "opslib.cloud.tasks.vercel_status",
    "writes": "opslib.host.tasks.writes",
}


def names() -> tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return tuple(sorted(_MODULES))


def get(name: str) -> type[Task]:
    """Return the class of the task with this name; UsageError when there is none."""
    if name not in _MODULES:
        near = difflib.get_close_matches(str(name), _MODULES, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names())}"
        raise UsageError(f"no task is called {ascii(name)[:80]}; {hint}")
    module = importlib.import_module(_MODULES[name])
    for item in vars(module).values():
        if isinstance(item, type) and issubclass(item, Task) and item.name == name:
            return item
    raise UsageError(f"{_MODULES[name]} defines no task called {name}")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
