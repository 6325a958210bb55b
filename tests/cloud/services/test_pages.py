"""The status page, Sentry's API and the receivers of notifications."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta

import requests

from services.sentry import ORGANISATION, PROJECT, Issue
from services.statuspage import Component, Incident


def test_a_status_page_is_sent_once(statuspage):
    """Who has it already gets 304, until something changes."""
    address = statuspage.url + "/api/v2/summary.json"
    first = requests.get(address, timeout=10)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert requests.get(address, headers=tag, timeout=10).status_code == 304
    statuspage.incidents.append(Incident("Slow queries", ["Database"]))
    changed = requests.get(address, headers=tag, timeout=10)
    assert changed.json()["incidents"][0]["components"][0]["name"] == "Database"


def test_a_summary_may_leave_components_out(statuspage):
    """As pages of incident.io do."""
    statuspage.components.append(Component("Codex API", "major_outage", summarised=False))
    summary = requests.get(statuspage.url + "/api/v2/summary.json", timeout=10).json()
    everything = requests.get(statuspage.url + "/api/v2/components.json", timeout=10).json()
    assert len(everything["components"]) == len(summary["components"]) + 2


def test_sentry_counts_errors(sentry):
    """As many as there are in the time asked for."""
    sentry.hourly[0] = 60.0
    now = datetime.now(UTC).replace(tzinfo=None)
    asked = {
        "dataset": "errors",
        "field": "count()",
        "project": PROJECT,
        "start": (now - timedelta(hours=3)).isoformat(),
        "end": now.isoformat(),
    }
    headers = {"Authorization": f"Bearer {sentry.token}"}
    address = f"{sentry.url}/api/0/organizations/{ORGANISATION}/events/"
    assert requests.get(address, params=asked, headers=headers, timeout=10).json()["data"] == [{"count()": 72}]


def test_sentry_lists_issues_in_pages(sentry):
    """The Link header says whether more follow."""
    sentry.page = 1
    sentry.issues.append(Issue("ValueError", release="1.1.0"))
    address = f"{sentry.url}/api/0/organizations/{ORGANISATION}/issues/"
    headers = {"Authorization": f"Bearer {sentry.token}"}
    found, cursor = [], None
    while True:
        answer = requests.get(address, params={"cursor": cursor}, headers=headers, timeout=10)
        found += [each["shortId"] for each in answer.json()]
        following = answer.links["next"]
        if following["results"] == "false":
            break
        cursor = following["cursor"]
    assert found == ["DASHBOARD-API-1", "DASHBOARD-API-2", "DASHBOARD-API-3"]
    fresh = requests.get(address, params={"query": 'firstRelease:"1.1.0"'}, headers=headers, timeout=10).json()
    assert [each["title"] for each in fresh] == ["ValueError"]
    assert requests.get(address, timeout=10).json() == {"detail": "Invalid token"}


def test_mail_and_webhooks_arrive(mail, receiver):
    """With what was said."""
    with smtplib.SMTP("127.0.0.1", mail.port) as client:
        client.sendmail("ops@example.com", ["ada@example.com"], "Subject: down\r\n\r\nThe site is down.\r\n")
    assert [(each["Subject"], each.get_payload().strip()) for each in mail.messages] == [("down", "The site is down.")]
    assert requests.post(receiver.url + "/services/T/B/C", json={"text": "down"}, timeout=10).text == "ok"
    assert receiver.texts() == ["{'text': 'down'}"]
