"""Declare a repository of ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from opslib.cloud.aws.ecr import Repositories, Repository
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.images.kinds import repository_name
from opslib.cloud.settled import settle
from opslib.cloud.task import CREATE, MODIFY, REMOVE, Change, Plan, param
from opslib.host.params import Boolean, Choice
from opslib.host.params import Mapping as MappingOf
from opslib.host.words import count

__all__ = ["EcrRepository"]

MUTABLE, IMMUTABLE = "mutable", "immutable"
_RULE = ("rulePriority", "selection", "action")


class EcrRepository(AwsTask, name="ecr_repository"):
    """Declare a repository of ECR.

    Declared are: that it is there, whether its tags may move, whether images are scanned, and its lifecycle. What is
    not given is left as it is. A repository that is missing is made only with `create`; none is ever removed.

    data: `uri`, `mutability` (in ECR's words), `scan_on_push`, `lifecycle` (null without one). Errors: there is no such
    repository. Source: the API reference of ECR.
    """

    repository: str = param(repository_name(), "The repository.", example="spendsense-api")
    create: bool = param(Boolean(), "Whether to make the repository when it is missing.", default=False)
    tags: str | None = param(
        Choice(MUTABLE, IMMUTABLE), "Whether a tag may move to another image.", default=None, example=IMMUTABLE
    )
    scan_on_push: bool | None = param(
        Boolean(), "Whether every image is scanned when it is pushed.", default=None, example=True
    )
    lifecycle: dict[str, Any] | None = param(
        MappingOf(),
        "The lifecycle policy as ECR has it, with `rules`; without any rule the policy is removed.",
        default=None,
    )

    def check(self) -> None:
        if self.lifecycle is None:
            return
        rules = self.lifecycle.get("rules")
        if set(self.lifecycle) != {"rules"} or not isinstance(rules, list):
            self.refuse("lifecycle holds a list of rules, and nothing else")
        for rule in rules or []:
            missing = [key for key in _RULE if not isinstance(rule, dict) or key not in rule]
            if missing:
                self.refuse(f"each rule of the lifecycle has {', '.join(_RULE)}; one has no {missing[0]}")
        priorities = [rule["rulePriority"] for rule in rules or []]
        if any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in priorities):
            self.refuse("the rulePriority of a lifecycle's rule is a whole number from 1")
        if len(set(priorities)) != len(priorities):
            self.refuse("two rules of the lifecycle have the same rulePriority")

    @property
    def _repositories(self) -> Repositories:
        return Repositories(self)

    def look(self) -> Repository | None:
        return self._repositories.find(self.repository)

    def compare(self, state: Repository | None) -> Plan:
        if state is None and not self.create:
            return Plan(failure=f"there is no repository {self.repository}; create: true makes it")
        changes = list(self._changes(state))
        if state is None:
            return Plan(changes=changes)
        data = {
            "uri": state.uri,
            "mutability": state.mutability,
            "scan_on_push": state.scan_on_push,
            "lifecycle": dict(state.policy) if state.policy is not None else None,
        }
        return Plan(changes=changes, reason="" if changes else f"{state.uri} is as declared", data=data)

    def _changes(self, state: Repository | None) -> Iterator[Change]:
        name = self.repository
        if state is None:
            yield Change(kind=CREATE, summary=f"create repository {name}", after=self._settings(), detail="create")
        else:
            if self.tags is not None and state.mutability != self.tags.upper():
                yield Change(
                    kind=MODIFY,
                    summary=f"make the tags of repository {name} {self.tags}",
                    before=state.mutability.lower(),
                    after=self.tags,
                    detail="tags",
                )
            if self.scan_on_push is not None and state.scan_on_push != self.scan_on_push:
                yield Change(
                    kind=MODIFY,
                    summary=f"{'scan' if self.scan_on_push else 'do not scan'} images of repository {name} when pushed",
                    before=state.scan_on_push,
                    after=self.scan_on_push,
                    detail="scan",
                )
        if self.lifecycle is not None:
            yield from self._lifecycle(state.policy if state is not None else None, self.lifecycle)

    def _lifecycle(self, there: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Iterator[Change]:
        before, after = _words(there), _words(wanted if wanted["rules"] else None)
        if before == after:
            return
        kind = CREATE if there is None else MODIFY if wanted["rules"] else REMOVE
        what = f"to {count(len(wanted['rules']), 'rule')}" if wanted["rules"] else "to none"
        yield Change(
            kind=kind,
            summary=f"set the lifecycle of repository {self.repository} {what}",
            before=before,
            after=after,
            detail="lifecycle",
        )

    def _settings(self) -> str:
        return f"tags {self.tags or MUTABLE}, scan on push: {'yes' if self.scan_on_push else 'no'}"

    def apply(self, change: Change) -> None:
        {
            "create": self._create,
            "tags": self._set_tags,
            "scan": self._set_scan,
            "lifecycle": self._set_lifecycle,
        }[change.detail]()

    def _create(self) -> None:
        ecr = self.client("ecr")

        def send() -> None:
            ecr.create_repository(
                repositoryName=self.repository,
                imageTagMutability=(self.tags or MUTABLE).upper(),
                imageScanningConfiguration={"scanOnPush": bool(self.scan_on_push)},
            )

        doing = f"creating repository {self.repository}"
        settle(self, send, lambda: self._repositories.find(self.repository) is not None, doing=doing)
        self.patience.until(self.look, lambda found: found is not None, doing=f"{doing}: waiting until it is seen")

    def _set_tags(self) -> None:
        ecr, wanted = self.client("ecr"), (self.tags or "").upper()
        settle(
            self,
            lambda: ecr.put_image_tag_mutability(repositoryName=self.repository, imageTagMutability=wanted),
            lambda: self._is(lambda found: found.mutability == wanted),
            doing=f"setting the tag mutability of repository {self.repository}",
        )

    def _set_scan(self) -> None:
        ecr, wanted = self.client("ecr"), {"scanOnPush": bool(self.scan_on_push)}
        settle(
            self,
            lambda: ecr.put_image_scanning_configuration(
                repositoryName=self.repository, imageScanningConfiguration=wanted
            ),
            lambda: self._is(lambda found: found.scan_on_push == self.scan_on_push),
            doing=f"setting the scanning of repository {self.repository}",
        )

    def _set_lifecycle(self) -> None:
        ecr, wanted = self.client("ecr"), self.lifecycle or {"rules": []}

        def send() -> None:
            if wanted["rules"]:
                ecr.put_lifecycle_policy(repositoryName=self.repository, lifecyclePolicyText=json.dumps(wanted))
            else:
                ecr.delete_lifecycle_policy(repositoryName=self.repository)

        settle(
            self,
            send,
            lambda: self._is(lambda found: _words(found.policy) == _words(wanted if wanted["rules"] else None)),
            doing=f"setting the lifecycle of repository {self.repository}",
        )

    def _is(self, so: Any) -> bool:
        found = self.look()
        return found is not None and bool(so(found))


def _words(policy: Mapping[str, Any] | None) -> str | None:
    """Return a policy as text, a line for each rule, in the order in which they are applied."""
    if policy is None:
        return None
    rules = policy.get("rules") or []
    return "\n".join(json.dumps(rule, sort_keys=True) for rule in sorted(rules, key=_priority))


def _priority(rule: Any) -> Any:
    priority = rule.get("rulePriority") if isinstance(rule, dict) else None
    return priority if isinstance(priority, int) else 0
