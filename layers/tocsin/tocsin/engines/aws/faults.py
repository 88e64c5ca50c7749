"""botocore's errors as ours: what may pass, and what somebody has to repair."""

from __future__ import annotations

from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004 (botocore's name)

from tocsin.errors import StoreBusyError, StoreError

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_PASSING = {
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "KmsThrottled",
    "KMSThrottlingException",
    "LimitExceededException",
    "OverLimit",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottlingError",
    "TooManyRequestsException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_SERVER_FAULT = 500  # HTTP

Fault: TypeAlias = "ClientError | BotoCoreError"


def code(error: Fault) -> str:
    """Give the service's name of the error, else botocore's."""
    if isinstance(error, ClientError):
        name: str = error.response.get("Error", {}).get("Code", "Unknown")
        return name
    return type(error).__name__


def passes(name: str) -> bool:
    """Say whether an error of this name may pass by itself."""
    return name in _PASSING


def retried(error: ClientError) -> bool:
    """Say whether botocore had tried before: an earlier try may have had its effect, its answer lost."""
    metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    return int(metadata.get("RetryAttempts", 0)) > 0


def is_busy(error: Fault) -> bool:
    """Say whether the same call may go through later (and may have gone through now)."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return passes(code(error)) or status >= _SERVER_FAULT
    return isinstance(error, HTTPClientError | ConnectionError)


def translated(error: Fault, what: str) -> StoreError:
    """Give the error of our tree; ``what`` is the table's or queue's name, for the sentence."""
    if is_busy(error):
        translation: StoreError = StoreBusyError(f"{what} could not be reached just now: {code(error)}")
    else:
        translation = StoreError(f"{what} refused: {error}; check its name, the region and this function's permissions")
    translation.__cause__ = error
    return translation
