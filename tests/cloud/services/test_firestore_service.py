"""The Firestore back end: Google's emulator for the data, an Admin API in front that Google's own clients accept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.future.polling import _OperationNotComplete
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.firestore_admin_v1.types import ExportDocumentsMetadata, ImportDocumentsMetadata, OperationState
from google.protobuf import json_format

PROD = "projects/prod/databases/(default)"
FAST = Retry(initial=0.01, maximum=0.01, timeout=200, predicate=if_exception_type(_OperationNotComplete))


def documents(project, database="(default)"):
    return firestore.Client(project=project, database=database, credentials=AnonymousCredentials())


@pytest.fixture
def world(google):
    google.firestore.make_database("prod")
    google.firestore.make_database("sandbox")
    google.gcs.make_bucket("backups")
    users = documents("prod").collection("users")
    for number in range(5):
        users.document(f"u{number}").set({"n": number})
    users.document("u1").collection("orders").document("o1").set({"paid": True})
    google.forget_requests()
    return google


@pytest.fixture
def admin(world):
    options = ClientOptions(api_endpoint=world.firestore.url)
    return FirestoreAdminClient(transport="rest", credentials=AnonymousCredentials(), client_options=options)


def export(admin, path="daily/1", **more):
    request = {"name": PROD, "output_uri_prefix": f"gs://backups/{path}", **more}
    return admin.export_documents(request).result(polling=FAST, timeout=200)


def test_an_export_is_read_back_into_another_project(world, admin):
    assert export(admin).output_uri_prefix == "gs://backups/daily/1"
    assert world.gcs.names("backups") == [
        "daily/1/1.overall_export_metadata",
        "daily/1/all_namespaces/all_kinds/all_namespaces_all_kinds.export_metadata",
        "daily/1/all_namespaces/all_kinds/output-0",
    ]
    sandbox = {"name": "projects/sandbox/databases/(default)", "input_uri_prefix": "gs://backups/daily/1"}
    operation = admin.import_documents(sandbox)
    operation.result(polling=FAST, timeout=200)
    assert operation.metadata.operation_state == OperationState.SUCCESSFUL
    assert operation.metadata.progress_documents.completed_work == 6
    found = documents("sandbox").collection("users")
    assert found.document("u3").get().to_dict() == {"n": 3}
    assert found.document("u1").collection("orders").document("o1").get().to_dict() == {"paid": True}


def test_an_export_holds_the_state_of_its_snapshot(world, admin):
    moment = datetime.now(UTC)
    documents("prod").collection("users").document("late").set({})
    world.firestore.granularity = 0
    export(admin, snapshot_time=moment)
    admin.import_documents(
        {"name": "projects/sandbox/databases/(default)", "input_uri_prefix": "gs://backups/daily/1"}
    ).result(polling=FAST, timeout=200)
    assert world.firestore.count("prod") == 7
    assert world.firestore.count("sandbox") == 6
    world.firestore.granularity = 60
    for wrong in (moment, datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=2)):
        with pytest.raises(exceptions.BadRequest, match="snapshot"):
            export(admin, "daily/2", snapshot_time=wrong)


def test_operations_are_told_as_googles_own_types(world, admin):
    world.firestore.looks = 2
    operation = admin.export_documents({"name": PROD, "output_uri_prefix": "gs://backups/daily/1"})
    name = operation.operation.name
    seen = []
    for _look in range(3):
        told = json.loads(
            json.dumps(world.firestore.do(world.firestore.understand("GET", f"/v1/{name}", {}, b"")).body)
        )
        assert told["metadata"].pop("@type").endswith("ExportDocumentsMetadata")
        typed = ExportDocumentsMetadata.pb()()
        json_format.ParseDict(told["metadata"], typed)  # refuses what the type has not
        seen.append(OperationState(typed.operation_state).name)
    assert seen == ["PROCESSING", "PROCESSING", "SUCCESSFUL"]
    assert ImportDocumentsMetadata.pb()().DESCRIPTOR.fields_by_name["input_uri_prefix"]
    world.firestore.page_size = 1
    export(admin, "daily/2")
    listed = admin.list_operations({"name": PROD})
    assert (len(listed.operations), listed.next_page_token) == (1, "1")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"name": PROD, "output_uri_prefix": "daily"}, exceptions.BadRequest),
        ({"name": PROD, "output_uri_prefix": "gs://nowhere/daily"}, exceptions.NotFound),
        ({"name": "projects/other/databases/(default)", "output_uri_prefix": "gs://backups/x"}, exceptions.NotFound),
        ({"name": "projects/prod/databases/two", "output_uri_prefix": "gs://backups/x"}, exceptions.NotFound),
    ],
)
def test_what_cannot_be_is_refused(admin, request_, error):
    with pytest.raises(error):
        admin.export_documents(request_)


def test_an_export_never_overwrites_another(admin):
    export(admin)
    with pytest.raises(exceptions.BadRequest, match="already exists"):
        export(admin)


def test_a_broken_export_cannot_be_imported(world, admin):
    export(admin)
    world.gcs.corrupt("backups", "daily/1/all_namespaces/all_kinds/output-0", b"noise")
    operation = admin.import_documents({"name": PROD, "input_uri_prefix": "gs://backups/daily/1"})
    with pytest.raises(exceptions.GoogleAPICallError, match="Record header"):
        operation.result(polling=FAST, timeout=200)
    with pytest.raises(exceptions.NotFound):
        admin.import_documents({"name": PROD, "input_uri_prefix": "gs://backups/daily/none"})


def test_operations_fail_get_stuck_and_are_cancelled(world, admin):
    world.firestore.fail_operation("UNAVAILABLE", "no capacity")
    with pytest.raises(exceptions.GoogleAPICallError, match="no capacity"):
        export(admin)
    assert world.gcs.names("backups") == []
    other = world.firestore.somebody_else("prod")
    listed = admin.list_operations({"name": PROD}).operations
    assert [each.done for each in listed] == [True, False]
    admin.cancel_operation({"name": other.name})
    assert admin.get_operation({"name": other.name}).error.code == 1


def test_databases_are_made_and_removed(world, admin):
    made = admin.create_database(
        {"parent": "projects/sandbox", "database_id": "drill", "database": {"location_id": "eur3", "type_": 1}}
    )
    assert made.result(polling=FAST, timeout=200).name == "projects/sandbox/databases/drill"
    documents("sandbox", "drill").collection("x").document("y").set({})
    assert world.firestore.count("sandbox", "drill") == 1
    assert world.firestore.count("sandbox") == 0
    admin.delete_database({"name": "projects/sandbox/databases/drill"}).result(polling=FAST, timeout=200)
    with pytest.raises(exceptions.NotFound):
        admin.get_database({"name": "projects/sandbox/databases/drill"})
    assert admin.get_database({"name": PROD}).location_id == "eur3"


def test_documents_pass_through_and_are_recorded(world):
    service = world.firestore
    body = json.dumps(
        {"writes": [{"delete": f"{PROD}/documents/users/u1", "currentDocument": {"exists": True}}]}
    ).encode()
    kind = {"content-type": "application/json"}
    answer = service.do(service.understand("POST", f"/v1/{PROD}/documents:commit", kind, body))
    assert "commitTime" in answer.body
    again = service.do(service.understand("POST", f"/v1/{PROD}/documents:commit", kind, body))
    assert again.body["error"]["status"] == "NOT_FOUND"
    wrong = service.do(service.understand("POST", f"/v1/{PROD}/documents:commit", kind, b'{"write": []}'))
    assert "CommitRequest has no member write" in wrong.body["error"]["message"]
    assert service.understand("POST", f"/v1/{PROD}/documents:commit", kind, body).mutates
    assert not service.understand("POST", f"/v1/{PROD}/documents:runQuery", kind, b"{}").mutates


def test_gcloud_drives_it_too(world, tmp_path):
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip("gcloud is not installed")
    environment = {
        **os.environ,
        **world.environment,
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(tmp_path),
    }
    world.firestore.looks = 0
    line = [gcloud, "firestore", "operations", "list", "--project=prod", "--format=value(name)"]
    world.firestore.somebody_else("prod", "ExportDocuments")
    found = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() in world.firestore.operations
