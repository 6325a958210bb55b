"""The base of tasks on AWS: an account and a region, proven before anything happens, and clients for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opslib.cloud.errors import (
    ExpiredError,
    MalformedError,
    MismatchError,
    RefusedError,
    ServiceError,
    ThrottledError,
    TimeIsUpError,
    UnknownOutcomeError,
)
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience
from opslib.cloud.task import CloudTask, TaskError, param
from opslib.host.params import Name, ParamError, Text, shown

__all__ = ["AwsTask", "account_id", "region_name"]

T = TypeVar("T")
_NEXT = ("NextToken", "nextToken", "NextMarker", "nextMarker", "Marker")
_CONNECT = 10
_READ = 60
# What services call it when they want fewer requests; from the retry handlers of botocore and the services' own models.
# LimitExceededException, which botocore repeats, is not among it: in the models of all services that are asked here it
# is a quota that is used up, which no waiting mends.
_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class _AccountId(Text):
    """A 12-digit account number. Text, because it may begin with 0."""

    def __init__(self) -> None:
        super().__init__("AWS account number of 12 digits, in quotes")

    def check(self, value: str) -> str:
        if len(value) != 12 or not (value.isascii() and value.isdigit()):
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


def account_id() -> _AccountId:
    """Return the kind of parameter that takes an account number."""
    return _AccountId()


def region_name() -> Name:
    """Return the kind of parameter that takes a region."""
    return Name("AWS region such as eu-west-1", signs="-", longest=40)


class AwsTask(CloudTask):
    """A task on AWS.

    Credentials come from boto3's own chain (environment, profile, role of the machine). They must lead to `account`:
    that is asked of STS before anything else.
    """

    account: str = param(
        account_id(), "The account that must be worked in; any other is refused.", example="123456789012"
    )
    region: str = param(region_name(), "The region to work in.", example="us-east-1")
    profile: str | None = param(
        Name("profile name", signs="_.-@+"), "A profile of the AWS configuration files to use.", default=None
    )

    def scope(self) -> dict[str, str]:
        return {"account": self.account, "region": self.region}

    def identify(self) -> None:
        if self._proven != self.account:
            raise MismatchError(
                f"{self.name}: the AWS credentials belong to account {self._proven}, not to {self.account}; nothing "
                "was touched: use other credentials (AWS_PROFILE, profile) or correct the account"
            )

    @functools.cached_property
    def _proven(self) -> str:
        answer = self.ask(lambda: self.client("sts").get_caller_identity(), doing="asking whose credentials these are")
        found = answer.get("Account")
        if not isinstance(found, str):
            raise MalformedError("sts: the answer names no account")
        return found

    @functools.cached_property
    def _session(self) -> Any:
        boto3 = load("boto3", "aws")
        with _translated("the AWS configuration"):
            return boto3.session.Session(region_name=self.region, profile_name=self.profile)

    @functools.cached_property
    def _clients(self) -> dict[tuple[str, str, float], Any]:
        return {}

    def client(self, service: str, region: str | None = None) -> Any:
        """Return boto3's client of a service. It repeats nothing by itself; `ask` and `change` do.

        No call takes longer than there is time left. region: in place of the task's own, for services that live in one
        region only.
        """
        return _Timely(functools.partial(self._client, service, region or self.region))

    def _client(self, service: str, region: str) -> Any:
        """Return a client whose timeouts, which are for life, fit into the time that is left."""
        limit, seconds = self.patience.cap(_READ), float(_READ)
        while seconds > limit:
            seconds /= 2
        key = (service, region, seconds)
        if key not in self._clients:
            config = load("botocore.config", "aws").Config(
                connect_timeout=min(_CONNECT, seconds),
                read_timeout=seconds,
                retries={"total_max_attempts": 1},
                user_agent_extra="opslib",
            )
            with _translated(service):
                self._clients[key] = self._session.client(service, region_name=region, config=config)
        return self._clients[key]

    def ask(self, call: Callable[[], T], *, doing: str, patience: Patience | None = None) -> T:
        """Return the answer to a call that changes nothing, repeated while the service is throttling or broken.

        patience: in place of the task's own, for what may be given up earlier.
        """
        return (patience or self.patience).read(lambda: _once(call, doing), doing=doing)

    def change(self, call: Callable[[], T], *, doing: str) -> T:
        """Return the answer to a call that changes something, repeated only while it is turned away by throttling.

        Raises UnknownOutcomeError when the answer was lost: then look what came of it, never send it again.
        """
        return self.patience.write(lambda: _once(call, doing), doing=doing)

    def pages(self, service: str, operation: str, key: str, /, *, doing: str, **args: Any) -> Iterator[Any]:
        """Yield all items of a listing, page after page, each asked for as `ask` does.

        operation: boto3's method name; key: where a page holds its items. Raises MalformedError for a listing that
        repeats its token: it would never end. Raises TimeIsUpError, too.
        """
        client = self.client(service)
        token: str | None = None
        seen: set[str] = set()
        while True:
            more = {} if token is None else {_token_name(client, operation): token}
            page = self.ask(functools.partial(getattr(client, operation), **args, **more), doing=doing)
            items = page.get(key)
            if not isinstance(items, list):
                raise MalformedError(f"{doing}: the answer holds no {key}")
            yield from items
            token = next((page[name] for name in _NEXT if page.get(name)), None)
            if token is None:
                return
            if token in seen:
                raise MalformedError(f"{doing}: the listing goes round in circles")
            if not self.patience.deadline.left:
                raise TimeIsUpError(f"{doing}: the listing did not end within {self.wait:g} seconds")
            seen.add(token)


class _Timely:
    """A client that is looked for anew for each call."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._find(), name)
        if not callable(found):
            return found

        def call(*args: Any, **more: Any) -> Any:
            return getattr(self._find(), name)(*args, **more)

        return call


def _token_name(client: Any, operation: str) -> str:
    """Return the parameter with which an operation takes the token of the next page, by the service's own model."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    members = model.input_shape.members
    return next(name for name in _NEXT if name in members)


def _once(call: Callable[[], T], doing: str) -> T:
    with _translated(doing):
        return call()


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours, which say what is known of the outcome."""
    exceptions = load("botocore.exceptions", "aws")
    try:
        yield
    except exceptions.ClientError as error:
        raise _of_service(error, doing) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.TokenRetrievalError) as error:
        raise ExpiredError(
            f"{doing}: no AWS credentials were found ({error}); set AWS_PROFILE, or log in with `aws sso login`"
        ) from error
    except (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.ResponseStreamingError,
        exceptions.IncompleteReadError,
    ) as error:
        raise UnknownOutcomeError(f"{doing}: {error}") from error
    except exceptions.ParamValidationError as error:
        raise RefusedError(f"{doing}: {' '.join(str(error).split())}") from error
    except exceptions.BotoCoreError as error:
        raise RefusedError(f"{doing}: {' '.join(str(error).split())}") from error
    except TaskError:
        raise
    except Exception as error:  # botocore's parsers fall over answers that are not of the service's model
        raise MalformedError(f"{doing}: the answer makes no sense ({type(error).__name__})") from error


def _of_service(error: Any, doing: str) -> ServiceError:
    body = error.response.get("Error") or {}
    status = (error.response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    code = str(body.get("Code") or "")[:100]
    said = "".join(c if c.isprintable() else "?" for c in " ".join(str(body.get("Message") or "").split()))[:500]
    text = f"{doing}: {code or status}{f': {said}' if said else ''}"
    if code in _THROTTLING or status == 429:
        return ThrottledError(text, code=code, status=status)
    if code in _EXPIRED:
        return ExpiredError(f"{text}; renew the AWS credentials", code=code, status=status)
    if status >= 500:
        return UnknownOutcomeError(text, code=code, status=status)
    return RefusedError(text, code=code, status=status)
