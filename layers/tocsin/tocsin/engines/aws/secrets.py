"""``Secrets`` on Secrets Manager, kept in memory for a while and nowhere else."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.engines.aws import faults
from tocsin.errors import SecretError
from tocsin.model import MINUTE, Instant, Span
from tocsin.ports import Clock

KEPT: Span = 5 * MINUTE  # a rotated secret counts after this at the latest; each call costs money and 10 ms
_ARN = "arn:"
_PART = "#"  # no name of a secret and no ARN can hold one


@dataclass(frozen=True, slots=True)
class _Known:
    value: str
    until: Instant


class SecretsManager:
    """Secrets by name below a prefix, or by ARN; ``name#key`` means one key of a secret that is a JSON object."""

    def __init__(
        self,
        prefix: str,
        client: Any,  # noqa: ANN401 (boto3 has no types)
        clock: Clock,
        kept: Span = KEPT,
    ) -> None:
        """Take the deployment's prefix (``tocsin/production/``), a boto3 client, and how long a value is kept."""
        self._prefix = prefix
        self._client = client
        self._clock = clock
        self._kept = kept
        self._known: dict[str, _Known] = {}
        self._gate = threading.Lock()

    def get(self, name: str) -> str:
        """Give the value; ``SecretError`` says what is wrong with the name, never what the secret holds.

        While Secrets Manager cannot be reached, a value that was had before is used on: a page beats a rotation.
        """
        plain, _, part = name.partition(_PART)
        identity = plain if plain.startswith(_ARN) else self._prefix + plain
        with self._gate:  # of several threads that miss, one asks
            known = self._known.get(identity)
            if known is None or known.until <= self._clock.now():
                known = _Known(self._fetch(identity, known), self._clock.now() + self._kept)
                self._known[identity] = known
        return _part(known.value, part, name) if part else known.value

    def refresh(self, name: str) -> None:
        """Ask anew at the next ``get``: a vendor refused the value, perhaps it was rotated."""
        plain = name.partition(_PART)[0]
        with self._gate:
            self._known.pop(plain if plain.startswith(_ARN) else self._prefix + plain, None)

    def _fetch(self, identity: str, known: _Known | None) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=identity)
        except (ClientError, BotoCoreError) as error:
            if faults.is_busy(error) and known is not None:
                return known.value
            raise SecretError(_reason(identity, error)) from error
        value = answer.get("SecretString")
        if not isinstance(value, str):
            raise SecretError(f"secret {identity!r} is binary: store it as text")
        return value


def _reason(identity: str, error: faults.Fault) -> str:
    name = faults.code(error)
    if faults.is_busy(error):
        return f"secret {identity!r} cannot be had just now: {name}"
    remedies = {
        "ResourceNotFoundException": "does not exist: create it, or push the configuration again",
        "AccessDeniedException": "may not be read: give this function secretsmanager:GetSecretValue on it",
        "InvalidRequestException": "is being deleted: restore it",
        "DecryptionFailure": "cannot be decrypted: give this function kms:Decrypt on its key",
    }
    return f"secret {identity!r} {remedies.get(name, f'cannot be had: {name}')}"


def _part(value: str, part: str, name: str) -> str:
    try:
        parts = json.loads(value)
    except ValueError:
        parts = None  # the error would quote the secret
    if not isinstance(parts, dict):
        raise SecretError(f"secret {name!r}: the secret is no JSON object, so it has no key {part!r}")
    if not isinstance(parts.get(part), str):
        raise SecretError(f"secret {name!r}: the secret has no key {part!r} that is text")
    found: str = parts[part]
    return found
