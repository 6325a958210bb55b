"""Google's credentials: sent to Google and to nobody else, renewed when they expire, and never shown."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from opslib import Fleet, Target, tasks
from services.web import Answer, Web, route
from support.cloud import run
from support.firestore import PROD, client, seed

ONE = {**PROD, "path": "recommendations/rec_001", "set": {"status": "pending"}}


class Tokens(Web):
    """Where service accounts get their access tokens (RFC 7523)."""

    revoked = False

    @route("POST", "/token")
    def token(self, call):
        if self.revoked:
            return Answer({"error": "invalid_grant", "error_description": "Token has been revoked."}, 400)
        return {"access_token": f"canary-token-{len(self.requests)}", "expires_in": 3600, "token_type": "Bearer"}


@pytest.fixture
def world(google, monkeypatch, tmp_path):
    seed(google)
    monkeypatch.delenv("OPSLIB_GCP_ANONYMOUS")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with Tokens() as google.tokens:
        account = {
            "type": "service_account",
            "project_id": "another-project",
            "client_email": "robot@another-project.iam.gserviceaccount.com",
            "private_key": secret,
            "token_uri": f"{google.tokens.url}/token",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        (tmp_path / "netrc").write_text("default login me password canary-of-a-netrc")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        google.canaries = ["canary-token", secret.splitlines()[1], "BEGIN PRIVATE KEY"]
        yield google


def test_the_named_project_is_worked_in_and_nothing_of_the_credentials_is_told(world):
    events = []
    with Fleet([Target(name="controller", carrier="local")], on_event=events.append) as fleet:
        report = fleet.run([tasks.firestore_document(**ONE)])
    report.raise_for_failures()
    assert client().document(ONE["path"]).get().to_dict()["status"] == "pending"
    assert {call.headers["authorization"] for call in world.firestore.requests} == {"Bearer canary-token-1"}
    assert ["authorization" in call.headers for call in world.tokens.requests] == [False]
    assert all("/projects/spendsense-production/" in call.target for call in world.firestore.requests)
    told = json.dumps(report.to_dict()) + repr(events) + repr(world.emulator.folder)
    assert [canary for canary in world.canaries if canary in told] == []


def test_uploads_and_listings_are_signed_by_the_token_alone(world, tmp_path):
    (tmp_path / "dump").write_text("some rows")
    there = {
        "project": PROD["project"],
        "bucket": "spendsense-backups",
        "object": "dump",
        "path": str(tmp_path / "dump"),
    }
    assert run("gcs_upload", {**there, "wait": 30, "poll": 0.001}).status == "changed"
    assert {call.headers["authorization"] for call in world.gcs.requests} == {"Bearer canary-token-1"}


def test_a_token_that_has_expired_is_renewed_once(world):
    world.firestore.expire_credentials(after=1)
    world.firestore.twist("documents.batchGet", lambda _body: None)
    renewed = world.tokens.token

    def mending(call):
        if len(world.tokens.requests) > 1:
            world.firestore.mend()
        return renewed(call)

    world.tokens.token = mending
    done = run("firestore_document", ONE)
    assert (done.error, len(world.tokens.requests)) == (None, 2)


def test_credentials_that_were_revoked_say_what_to_do(world):
    world.tokens.revoked = True
    done = run("firestore_document", ONE)
    assert "no Google credentials that can be used" in done.error
    assert "gcloud auth application-default login" in done.error
    assert [canary for canary in world.canaries if canary in repr(done)] == []
    assert world.firestore.requests == []


def test_credentials_that_are_not_there_say_so(world, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    done = run("firestore_document", ONE)
    assert "no Google credentials that can be used" in done.error
