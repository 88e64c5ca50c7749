"""Prove the sender over the raw bytes, store the raw body, answer. Lean: this faces strangers and has one second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tocsin.config.codec import Door
from tocsin.config.plan import SourceSettings
from tocsin.errors import ProofError, SecretError, StoreError
from tocsin.model import SECOND, Instant, Span
from tocsin.pipeline import blobs
from tocsin.pipeline.messages import KEPT_HEADERS, Incoming, message_id
from tocsin.ports import INBOX, Clock, Message, Queues, Secrets, Store, Telemetry
from tocsin.sources import INTERNAL, REGISTRY
from tocsin.sources.proof import prove

MAX_BODY = 5 * 1024 * 1024  # bytes; a Lambda is handed 6 MB, base64 included, a group of 5,000 alerts is 4 MB
REFUSED_HEAD = 4096  # what is kept of a body that is too large, so that somebody hears of it
# A message holds 1 MiB: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
INLINE_BODY = 180_000  # bytes; base64 makes a third more of it, and EventBridge's own limit is 256 KB
SET_BACK: Span = 30 * SECOND  # a clock that goes back further than this is believed
DOOR_KEPT: Span = 5 * SECOND  # how long the sources' proofs are trusted before they are read again


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told."""

    status: int
    text: str


class Receive:
    """The door: ``handle`` is called once per request."""

    def __init__(
        self,
        *,
        store: Store,
        queues: Queues,
        secrets: Secrets,
        clock: Clock,
        telemetry: Telemetry,
        door: Callable[[], Door],
    ) -> None:
        """Take the ports; ``door`` reads the sources and their proofs (``Plans.door``)."""
        self._store, self._queues, self._secrets, self._clock = store, queues, secrets, clock
        self._telemetry, self._read_door = telemetry, door
        self._door = Door()
        self._door_until: Instant = -1
        self._latest: Instant = -1

    def handle(
        self, source: str, path_token: str, headers: Mapping[str, str], body: bytes, *, too_large: bool = False
    ) -> Answer:
        """Answer one request.

        Args:
            source: the segment after ``/webhooks/``.
            path_token: the segment after that, "" if there is none.
            headers: names in lower case.
            body: the raw bytes (decoded when API Gateway encoded them); only a head if ``too_large``.
            too_large: whether the server in front already refused to read more.
        """
        stamp = self._stamp()
        try:
            answer = self._answer(source, path_token, headers, body, stamp, too_large=too_large)
        except SecretError as error:
            self._telemetry.log("error", "a source's secret cannot be read", source=source, error=str(error))
            answer = Answer(503, "the proof of this source cannot be checked right now; send it again")
        except StoreError as error:
            self._telemetry.log("error", "the body could not be stored", source=source, error=str(error))
            answer = Answer(503, "the body could not be stored; send it again")
        # what strangers make up must not become label values
        known = source if answer.status != 404 else "unknown"  # noqa: PLR2004 (HTTP)
        self._telemetry.count("received", source=known, status=str(answer.status))
        return answer

    def _stamp(self) -> Instant:
        """Give the instant; what came later has the later stamp even if the clock was set back a little meanwhile."""
        now = self._clock.now()
        self._latest = now if now < self._latest - SET_BACK else max(now, self._latest + 1)
        return self._latest

    def _answer(
        self, source: str, path_token: str, headers: Mapping[str, str], body: bytes, stamp: Instant, *, too_large: bool
    ) -> Answer:
        if stamp >= self._door_until:
            self._door, self._door_until = self._read_door(), stamp + DOOR_KEPT
        settings = self._door.sources.get(source)
        if settings is None and self._door.open_on_loopback and source in REGISTRY and source != INTERNAL:
            settings = SourceSettings(source, source, {"type": "none"})  # an alertmanager.yml alone, as Alertmanager is
        if settings is None:
            self._telemetry.log("warning", "a sender asked for a source that is not named", source=source[:40])
            return Answer(404, f"no source named {source[:40]!r}; the sources are those under 'sources' in tocsin.yml")
        try:
            proof = prove(
                settings.auth, body=body, headers=headers, path_token=path_token, secret=self._secret, now=stamp
            )
        except ProofError as error:
            self._telemetry.log("warning", "a sender did not prove itself", source=source, error=str(error))
            return Answer(401, str(error))
        if too_large or len(body) > MAX_BODY:
            refused = f"the body is larger than {MAX_BODY} bytes"
            self._keep(settings.kind, headers, body[:REFUSED_HEAD], stamp, refused)
            return Answer(413, f"{refused}; its head was kept and the catch-all receiver is told")
        name = self._keep(settings.kind, headers, body, stamp, "")
        self._telemetry.log("info", "stored", source=source, message=name, bytes=len(body), proof=proof)
        return Answer(202, name)

    def _secret(self, reference: Mapping[str, str]) -> str:
        if "$file" in reference:
            return self._secrets.get(f"file:{reference['$file']}")
        return self._secrets.get(reference["$secret"])

    def _keep(self, kind: str, headers: Mapping[str, str], body: bytes, stamp: Instant, refused: str) -> str:
        name = message_id(kind, stamp, body)
        kept = {key: headers[key] for key in KEPT_HEADERS if key in headers}
        if len(body) > INLINE_BODY:
            blobs.put(self._store, f"body-{name}", body, stamp, durable=True)
            incoming = Incoming(name, kind, stamp, b"", kept, blob=f"body-{name}", refused=refused)
        else:
            incoming = Incoming(name, kind, stamp, body, kept, refused=refused)
        self._queues.send(INBOX, [Message(incoming.encode())])
        return name
