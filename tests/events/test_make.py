"""The envelopes under events/ are what their payloads make, and the pipeline reads them."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tocsin.errors import ProofError
from tocsin.pipeline.messages import decode, decode_hint
from tocsin.ports import Received
from tocsin.sources import source
from tocsin.sources.proof import prove

EVENTS = Path(__file__).parents[2] / "events"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tocsin_events_make", EVENTS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load_script()
ENVELOPES = {path: json.loads(text) for path, text in make.files().items()}


def of(folder: str) -> dict[str, Any]:
    return {path.stem: envelope for path, envelope in ENVELOPES.items() if path.parts[0] == folder}


def payload(kind: str, name: str) -> bytes:
    return (EVENTS / "payloads" / kind / f"{name}.json").read_bytes()


def received(record: dict[str, Any]) -> Received:
    sent = int(record["attributes"]["SentTimestamp"]) * 1_000_000
    return Received(record["messageId"], record["body"], 1, record["receiptHandle"], sent)


def test_the_files_are_what_the_payloads_make() -> None:
    assert make.drift(make.files()) == [], "run `make events`"


def test_made_twice_they_are_the_same() -> None:
    assert make.files() == make.files()


def test_drift_names_what_is_missing_what_differs_and_what_is_left_over(tmp_path: Path) -> None:
    wanted = {Path("receive/a.json"): "1\n", Path("decide/b.json"): "2\n"}
    make.write(wanted, tmp_path)
    assert make.drift(wanted, tmp_path) == []
    (tmp_path / "receive/a.json").write_text("other")
    (tmp_path / "decide/b.json").unlink()
    (tmp_path / "deliver/c.json").write_text("left over")
    assert make.drift(wanted, tmp_path) == [
        "deliver/c.json: there is no payload for it any more",
        "decide/b.json: missing",
        "receive/a.json: differs from what its payload makes",
    ]
    make.write(wanted, tmp_path)
    assert make.drift(wanted, tmp_path) == []


def test_check_writes_nothing_and_exits_1_where_something_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make.main(["--check"]) == 0
    drift = make.drift
    monkeypatch.setattr(make, "drift", lambda wanted: drift(wanted, tmp_path))
    assert make.main(["--check"]) == 1
    assert "events/receive/alertmanager-firing.json: missing; run `make events`" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["alertmanager", "pingdom"])
def test_every_body_of_a_webhook_has_a_request_and_a_message(kind: str) -> None:
    names = sorted(path.stem for path in (EVENTS / "payloads" / kind).glob("*.json"))
    assert len(names) >= 7
    for name in names:
        request = of("receive")[f"{kind}-{name}"]
        assert request["body"].encode() == payload(kind, name)
        (record,) = of("decide")[f"{kind}-{name}"]["Records"]
        incoming = decode(received(record))
        assert (incoming.source, incoming.body, incoming.stamp) == (kind, payload(kind, name), make.STAMP)


@pytest.mark.parametrize("kind", ["cloudwatch", "eventbridge"])
def test_eventbridge_puts_the_event_itself_into_the_inbox(kind: str) -> None:
    for path in sorted((EVENTS / "payloads" / kind).glob("*.json")):
        (record,) = of("decide")[f"{kind}-{path.stem}"]["Records"]
        incoming = decode(received(record))
        assert incoming.source == "eventbridge"
        assert json.loads(incoming.body) == json.loads(path.read_text())
        assert source("eventbridge").parse(incoming.body, {}, incoming.stamp) is not None


def proven(request: dict[str, Any], auth: dict[str, Any]) -> str:
    body = request["body"].encode()
    return prove(
        auth,
        body=base64.b64decode(body) if request["isBase64Encoded"] else body,
        headers=request["headers"],
        path_token=request["pathParameters"].get("token", ""),
        secret={"t": make.SAMPLE_TOKEN},
        now=make.STAMP,
    )


@pytest.mark.parametrize(
    ("name", "kind", "proof"),
    [
        ("alertmanager-firing", "bearer", "bearer"),
        ("alertmanager-firing-base64", "bearer", "bearer"),
        ("alertmanager-firing-path-token", "path", "path token"),
        ("pingdom-http-down", "path", "path token"),
        ("pingdom-http-down-base64", "path", "path token"),
    ],
)
def test_requests_prove_themselves_with_the_sample_token(name: str, kind: str, proof: str) -> None:
    assert proven(of("receive")[name], {"type": kind, "token": {"$secret": "t"}}) == proof


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("alertmanager-firing-wrong-token", "bearer"),
        ("alertmanager-firing-no-token", "bearer"),
        ("pingdom-http-down-wrong-token", "path"),
    ],
)
def test_some_requests_do_not(name: str, kind: str) -> None:
    with pytest.raises(ProofError):
        proven(of("receive")[name], {"type": kind, "token": {"$secret": "t"}})


def test_a_request_has_the_shape_of_payload_format_2() -> None:
    for name, request in of("receive").items():
        assert request["version"] == "2.0", name
        assert all(header == header.lower() for header in request["headers"])
        given = "/".join(["/webhooks", *request["pathParameters"].values()])
        assert request["rawPath"] == given == request["requestContext"]["http"]["path"]
        assert request["routeKey"].count("{") == len(request["pathParameters"])


def test_a_base64_body_is_the_same_body() -> None:
    request = of("receive")["alertmanager-firing-base64"]
    assert base64.b64decode(request["body"]) == payload("alertmanager", "firing")
    assert int(request["headers"]["content-length"]) == len(payload("alertmanager", "firing"))


def test_records_have_ids_of_their_own_and_the_digest_of_their_body() -> None:
    for folder in ("decide", "deliver"):
        for name, event in of(folder).items():
            ids = [record["messageId"] for record in event["Records"]]
            assert len(set(ids)) == len(ids), name
            for record in event["Records"]:
                assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()


def test_several_holds_a_repetition() -> None:
    bodies = [record["body"] for record in of("decide")["several"]["Records"]]
    assert (len(bodies), len(set(bodies))) == (4, 3)


def test_what_is_due_is_a_hint_to_a_group_on_its_own_queue() -> None:
    (record,) = of("decide")["due"]["Records"]
    hint = decode_hint(record["body"])
    assert hint is not None
    assert hint.what == "group"
    assert record["eventSourceARN"].endswith(":tocsin-due")


def test_each_channel_has_a_hint_to_one_of_its_lanes() -> None:
    for channel in make.CHANNELS:
        (record,) = of("deliver")[channel]["Records"]
        hint = decode_hint(record["body"])
        assert hint is not None
        assert (hint.what, hint.channel, hint.version) == ("lane", channel, 1)
        assert record["eventSourceARN"].endswith(f":tocsin-deliver-{channel}")
