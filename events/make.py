# ruff: noqa: INP001, T201 (a script beside the files it writes; it reports on its standard output)
"""Write the envelopes in which a Lambda function meets the bodies under ``events/payloads``.

    python events/make.py           write events/{receive,decide,deliver}
    python events/make.py --check   say what differs, and exit 1 if anything does

Deterministic: the same payloads make the same envelopes. Token and ids are samples, and nothing here is a secret.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.model import SECOND, Instant
from tocsin.pipeline.messages import Hint, Incoming, message_id

HERE = Path(__file__).resolve().parent
PAYLOADS = HERE / "payloads"
WRITTEN = ("receive", "decide", "deliver")  # the folders that hold nothing but what this script writes

SAMPLE_TOKEN = "sample-token"  # noqa: S105 (what the samples prove themselves with)
WRONG_TOKEN = "not-the-token"  # noqa: S105
STAMP: Instant = 1_793_628_000 * SECOND  # 2026-11-02T14:00:00Z, when all of it was received

ACCOUNT = "123456789012"
REGION = "eu-west-1"
STACK = "tocsin"  # queues are called after their stack, see template.yaml
API = "a1b2c3d4e5"

# Who proves itself how: Alertmanager by a bearer token, Pingdom, which can do nothing else, by the path.
BY_BEARER = "alertmanager"
BY_PATH = "pingdom"
RAW = ("cloudwatch", "eventbridge")  # EventBridge writes these into the inbox without any code of ours
CHANNELS = ("email", "pagerduty", "slack", "webhook", "zendesk")

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
_PAYLOAD_FORMAT = "2.0"


def payloads(*kinds: str) -> Iterator[tuple[str, str, bytes]]:
    """Give kind, name and body of each sample, in order."""
    for kind in kinds:
        for path in sorted((PAYLOADS / kind).glob("*.json")):
            yield kind, path.stem, path.read_bytes()


# ---- API Gateway -----------------------------------------------------------------------------------------------------


def http_event(source: str, body: bytes, *, bearer: str = "", token: str = "", encoded: bool = False) -> dict[str, Any]:
    """Make what an HTTP API hands a function: payload format 2.0.

    Args:
        source: the segment after ``/webhooks/``.
        body: the raw body.
        bearer: the token of the Authorization header, if there is one.
        token: the token of the path, if there is one.
        encoded: whether the body is base64, as API Gateway makes it of what it does not take for text.
    """
    path = f"/webhooks/{source}" + (f"/{token}" if token else "")
    route = "POST /webhooks/{source}" + ("/{token}" if token else "")
    headers = {
        "accept": "*/*",
        "content-length": str(len(body)),
        "content-type": "application/octet-stream" if encoded else "application/json",
        "host": f"{API}.execute-api.{REGION}.amazonaws.com",
        "user-agent": "Alertmanager/0.28.0" if source == BY_BEARER else "Pingdom.com webhook",
        "x-forwarded-for": "192.0.2.10",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    return {
        "version": _PAYLOAD_FORMAT,
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": dict(sorted(headers.items())),
        "requestContext": _request_context(route, path, headers, body),
        "pathParameters": {"source": source} | ({"token": token} if token else {}),
        "body": base64.b64encode(body).decode("ascii") if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def _request_context(route: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    return {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": headers["host"],
        "domainPrefix": API,
        "http": {
            "method": "POST",
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": headers["x-forwarded-for"],
            "userAgent": headers["user-agent"],
        },
        "requestId": _name("request", path, body)[:16],
        "routeKey": route,
        "stage": "$default",
        "time": "02/Nov/2026:14:00:00 +0000",
        "timeEpoch": STAMP // 1_000_000,
    }


def receive() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the requests: each body with its proof; and base64, and proofs that do not hold."""
    for _, name, body in payloads(BY_BEARER):
        yield f"{BY_BEARER}-{name}", http_event(BY_BEARER, body, bearer=SAMPLE_TOKEN)
    for _, name, body in payloads(BY_PATH):
        yield f"{BY_PATH}-{name}", http_event(BY_PATH, body, token=SAMPLE_TOKEN)
    firing = (PAYLOADS / BY_BEARER / "firing.json").read_bytes()
    down = (PAYLOADS / BY_PATH / "http-down.json").read_bytes()
    yield f"{BY_BEARER}-firing-base64", http_event(BY_BEARER, firing, bearer=SAMPLE_TOKEN, encoded=True)
    yield f"{BY_BEARER}-firing-path-token", http_event(BY_BEARER, firing, token=SAMPLE_TOKEN)
    yield f"{BY_BEARER}-firing-no-token", http_event(BY_BEARER, firing)
    yield f"{BY_BEARER}-firing-wrong-token", http_event(BY_BEARER, firing, bearer=WRONG_TOKEN)
    yield f"{BY_PATH}-http-down-base64", http_event(BY_PATH, down, token=SAMPLE_TOKEN, encoded=True)
    yield f"{BY_PATH}-http-down-wrong-token", http_event(BY_PATH, down, token=WRONG_TOKEN)
    yield "unknown-source", http_event("smoke-signals", b"{}", bearer=SAMPLE_TOKEN)


# ---- SQS -------------------------------------------------------------------------------------------------------------


def sqs_event(queue: str, *bodies: str) -> dict[str, Any]:
    """Make what an event source mapping of SQS hands a function.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return {"Records": [_record(queue, number, body) for number, body in enumerate(bodies)]}


def _record(queue: str, number: int, body: str) -> dict[str, Any]:
    digest = _name(queue, str(number), body.encode())
    sent = str(STAMP // 1_000_000)
    return {
        "messageId": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
        "receiptHandle": digest,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDASAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-{queue}",
        "awsRegion": REGION,
    }


def inbox_body(kind: str, body: bytes) -> str:
    """Write a body as ``receive`` puts it into the inbox, or as EventBridge does: the event itself, on one line."""
    if kind in RAW:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
    headers = {"content-type": "application/json"}
    return Incoming(message_id(kind, STAMP, body), kind, STAMP, body, headers).encode()


def decide() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the batches of the inbox, one body each, one of several, one with nonsense; and a hint of what is due."""
    samples = list(payloads("alertmanager", *RAW, "pingdom"))
    for kind, name, body in samples:
        yield f"{kind}-{name}", sqs_event("inbox", inbox_body(kind, body))
    mixed = {("alertmanager", "firing"), ("cloudwatch", "metric-alarm"), ("pingdom", "http-down")}
    bodies = [inbox_body(kind, body) for kind, name, body in samples if (kind, name) in mixed]
    yield "several", sqs_event("inbox", *bodies, bodies[0])  # the last one is a repetition
    yield "nonsense", sqs_event("inbox", "neither an envelope nor an event")
    group = Hint("group", _name("group", "sample")[:32], 1)
    yield "due", sqs_event("due", group.message(STAMP, STAMP).body)


def deliver() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give one hint of a lane for each channel; the lane has to be there, for the truth is in the rows."""
    for channel in CHANNELS:
        lane = Hint("lane", f"sample-{channel}", 1, channel)
        yield channel, sqs_event(f"deliver-{channel}", lane.message(STAMP, STAMP).body)


# ---- files -----------------------------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """Give every envelope by its path beneath ``events``."""
    folders = {"receive": receive, "decide": decide, "deliver": deliver}
    return {
        Path(folder) / f"{name}.json": json.dumps(envelope, ensure_ascii=False, indent=2) + "\n"
        for folder in WRITTEN
        for name, envelope in folders[folder]()
    }


def drift(wanted: Mapping[Path, str], root: Path = HERE) -> list[str]:
    """Say of each file that is not as it should be what is wrong with it."""
    there = {path.relative_to(root) for folder in WRITTEN for path in (root / folder).glob("*.json")}
    found = [f"{path}: there is no payload for it any more" for path in sorted(there - wanted.keys())]
    for path, text in sorted(wanted.items()):
        if path not in there:
            found.append(f"{path}: missing")
        elif (root / path).read_text() != text:
            found.append(f"{path}: differs from what its payload makes")
    return found


def write(wanted: Mapping[Path, str], root: Path = HERE) -> None:
    """Write the files, and remove those that nothing makes any more."""
    for folder in WRITTEN:
        (root / folder).mkdir(exist_ok=True)
        for path in (root / folder).glob("*.json"):
            if path.relative_to(root) not in wanted:
                path.unlink()
    for path, text in wanted.items():
        (root / path).write_text(text)


def _name(*parts: str | bytes) -> str:
    return hashlib.sha256(b"\0".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Write or check; 1 where something differs."""
    parser = argparse.ArgumentParser(description="Write the envelopes of each function from events/payloads.")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    wanted = files()
    if parser.parse_args(arguments).check:
        found = drift(wanted)
        for line in found:
            print(f"events/{line}; run `make events`")
        return 1 if found else 0
    write(wanted)
    print(f"{len(wanted)} envelopes written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
