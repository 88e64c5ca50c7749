"""``tocsin serve`` as a process: what it answers, how it takes a new config, that it ends and loses nothing."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tocsin.loopback import Vendors
from tocsin.pipeline.receive import MAX_BODY

from tests.cli.serving import PATIENCE, TOCSIN, TOKEN, Serve, firing, place, resolved, until

PROOF = {"Authorization": f"Bearer {TOKEN}"}
BODY = json.dumps({"alerts": [firing("Watchdog")]}).encode()  # goes to nobody


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


@pytest.fixture(scope="module")
def serve(vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One server for whatever leaves its config and its process alone."""
    folder = tmp_path_factory.mktemp("serve")
    with Serve(place(folder, vendors), folder / "data") as running:
        yield running


def refused(*arguments: str, folder: Path) -> str:
    """Start a ``tocsin serve`` that must not come up; gives its sentence."""
    ended = subprocess.run(
        [*TOCSIN, "serve", *arguments], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


# ---- answers ---------------------------------------------------------------------------------------------------------

ANSWERS = [
    ("GET", "/-/healthy", {}, b"", 200, "OK"),
    ("GET", "/-/ready", {}, b"", 200, "OK"),
    ("GET", "/", {}, b"", 200, "POST /webhooks/alertmanager"),
    ("GET", "/nowhere", {}, b"", 404, "nothing is here; GET / says what is"),
    ("POST", "/-/healthy", {}, b"", 405, "only GET here"),
    ("GET", "/-/reload", {}, b"", 405, "reload by POST"),
    ("POST", "/webhooks/alertmanager", PROOF, BODY, 202, ""),
    ("POST", "/webhooks/alertmanager", {}, BODY, 401, "the Authorization header is missing"),
    (
        "POST",
        "/webhooks/alertmanager",
        {"Authorization": "Bearer wrong"},
        BODY,
        401,
        "the bearer token is not the right",
    ),
    ("POST", "/webhooks/pingdom/the-pingdom-token", {}, b"{}", 202, ""),
    ("POST", "/webhooks/pingdom", {}, b"{}", 401, "the path lacks its token"),
    ("POST", "/webhooks/pingdom/wrong", {}, b"{}", 401, "the token in the path is not the right one"),
    ("POST", "/webhooks/eventbridge", {"Authorization": "Bearer the-events-token"}, b"[]", 202, ""),
    ("POST", "/webhooks/nagios", PROOF, BODY, 404, "no source named 'nagios'; the sources are those under 'sources'"),
    ("POST", "/webhooks/tocsin", PROOF, BODY, 404, "no source named 'tocsin'"),
    ("POST", "/webhooks/", PROOF, BODY, 404, "no source named ''"),
    ("GET", "/webhooks/alertmanager", PROOF, b"", 405, "webhooks are sent by POST"),
    ("POST", "/webhooks/alertmanager", PROOF, b"not json", 202, ""),
    ("POST", "/webhooks/alertmanager", PROOF, b"", 202, ""),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "sentence"), ANSWERS)
def test_each_request_is_answered_by_a_status_and_a_sentence(serve, method, path, headers, body, status, sentence):
    answer = serve.client.request(method, path, headers=headers, content=body)
    assert (answer.status_code, sentence in answer.text) == (status, True), answer.text


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready", "/metrics", "/nowhere", "/webhooks/alertmanager"])
def test_head_is_answered_as_get_is_but_without_a_body(serve, path):
    got, headed = serve.client.get(path), serve.client.head(path)
    assert headed.status_code == got.status_code
    assert headed.content == b""
    if path != "/metrics":  # which counts the requests between the two
        assert headed.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/webhooks/pingdom", "POST"), ("GET", "/-/reload", "POST"), ("DELETE", "/metrics", "GET, HEAD")],
)
def test_a_wrong_method_is_told_the_right_one(serve, method, path, allowed):
    answer = serve.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_body_that_is_too_large_is_refused_in_words_and_the_catch_all_hears_of_it(tmp_path):
    with Vendors() as vendors, Serve(place(tmp_path, vendors), tmp_path / "data") as serve:
        answer = serve.client.post("/webhooks/alertmanager", headers=PROOF, content=b"x" * (MAX_BODY + 1))
        assert answer.status_code == 413
        assert f"larger than {MAX_BODY} bytes; its head was kept and the catch-all receiver is told" in answer.text
        [told] = until(lambda: vendors.webhook.bodies, "the catch-all is told")
        assert f"larger than {MAX_BODY} bytes" in told["commonAnnotations"]["summary"]


def test_a_secret_that_cannot_be_read_is_our_fault_and_the_sender_sends_again(vendors, tmp_path):
    config = place(tmp_path, vendors)
    with Serve(config, tmp_path / "data") as serve:
        (tmp_path / "events-token").unlink()
        answer = serve.client.post("/webhooks/eventbridge", headers={"Authorization": "Bearer the-events-token"})
        assert answer.status_code == 503
        assert "cannot be checked right now; send it again" in answer.text
        until(lambda: "events-token cannot be read" in "".join(serve.log), "the log names the file")
        assert "the-alertmanager-token" not in "".join(serve.log)


# ---- HTTP as senders speak it ----------------------------------------------------------------------------------------

HEAD = f"POST /webhooks/alertmanager {{version}}\r\nHost: tocsin\r\nAuthorization: Bearer {TOKEN}\r\n"


def spoken(serve: Serve, *requests: bytes) -> bytes:
    """Say requests on one connection, and hear everything until the server hangs up."""
    host, _, port = serve.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        for request in requests:
            connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def plain(version: str, *more: str) -> bytes:
    lines = HEAD.format(version=version) + "".join(f"{line}\r\n" for line in (*more, f"Content-Length: {len(BODY)}"))
    return lines.encode() + b"\r\n" + BODY


def test_http_1_0_is_answered_and_hung_up_on(serve):
    heard = spoken(serve, plain("HTTP/1.0"))
    assert heard.startswith(b"HTTP/1.0 202 ")


def test_a_chunked_body_is_read_whole(serve):
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
    head = (HEAD.format(version="HTTP/1.1") + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n").encode()
    before = serve.metrics()['tocsin_received_total{source="alertmanager",status="202"}']
    assert spoken(serve, head + chunks).startswith(b"HTTP/1.1 202 ")
    assert serve.metrics()['tocsin_received_total{source="alertmanager",status="202"}'] == before + 1
    until(lambda: f"bytes={len(BODY)} " in "".join(serve.log), "as many bytes were stored as were sent")


def test_two_requests_on_one_connection_get_two_answers(serve):
    heard = spoken(serve, plain("HTTP/1.1"), plain("HTTP/1.1", "Connection: close"))
    assert heard.count(b"HTTP/1.1 202 ") == 2


def test_a_client_that_hangs_up_within_its_body_hurts_nobody(serve):
    spoken(serve, plain("HTTP/1.1")[:-5])
    assert serve.client.get("/-/ready").status_code == 200


def test_metrics_are_an_exposition_that_can_be_read(serve):
    answer = serve.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    series = serve.metrics()
    assert series["tocsin_config_last_reload_successful"] == 1
    assert series["tocsin_inbox_messages"] >= 0


def test_what_strangers_make_up_does_not_become_a_series(serve):
    serve.client.post("/webhooks/made-up-by-a-stranger", content=b"{}")
    names = list(serve.metrics())
    assert 'tocsin_received_total{source="unknown",status="404"}' in names
    assert not [name for name in names if "made-up" in name]


# ---- large bodies ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_body_of_4_mb_with_5000_alerts_is_accepted_and_told_whole(serve, vendors):
    alerts = [firing("Hooked", instance=f"host-{n}", filler="x" * 700) for n in range(5000)]
    body = json.dumps({"version": "4", "alerts": alerts}).encode()
    assert 4_000_000 < len(body) < MAX_BODY
    answer = serve.client.post("/webhooks/alertmanager", headers=PROOF, content=body)
    assert answer.status_code == 202

    def told() -> set[str]:
        hooked = [b for b in list(vendors.webhook.bodies) if b["groupLabels"].get("alertname") == "Hooked"]
        return {a["labels"]["instance"] for b in hooked for a in b["alerts"]}

    until(lambda: len(told()) == 5000, "all 5,000 alerts are told")


# ---- the way through -------------------------------------------------------------------------------------------------


def test_what_fires_reaches_four_and_what_resolves_reaches_them_again(serve, vendors):
    serve.alert(firing("Press"))
    title = "[FIRING:1] Press"

    def told() -> bool:
        return (
            any(i.summary.startswith(title) for i in vendors.pagerduty.incidents)
            and any(m["attachments"][0]["title"].startswith(title) for m in vendors.slack.messages)
            and any(m.subject.startswith(title) for m in vendors.smtp.mails)
            and any(t["subject"].startswith(title) for t in vendors.zendesk.tickets.values())
        )

    until(told, "four are told")
    serve.alert(resolved("Press"))
    until(lambda: [i.status for i in vendors.pagerduty.incidents] == ["resolved"], "PagerDuty's incident is resolved")
    until(lambda: [t["status"] for t in vendors.zendesk.tickets.values()] == ["solved"], "the ticket is solved")


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(tmp_path):
    with Vendors() as vendors, Serve(place(tmp_path, vendors), tmp_path / "data", "--dry-run") as serve:
        serve.alert(firing("Press"))
        for channel in ("pagerduty", "slack", "email", "zendesk"):
            until(lambda c=channel: f'msg="would send" channel={c}' in "".join(serve.log), f"{channel} is in the log")
        assert vendors.pagerduty.requests == vendors.slack.requests == vendors.zendesk.requests == []
        assert vendors.smtp.commands == []
        assert "a-routing-key" not in "".join(serve.log)


# ---- the config ------------------------------------------------------------------------------------------------------


@pytest.fixture
def reloading(vendors: Vendors, tmp_path: Path) -> Iterator[Serve]:
    with Serve(place(tmp_path, vendors), tmp_path / "data") as running:
        yield running


def reroute(folder: Path, to: str) -> None:
    """Let the alert of that name go to the webhook."""
    file = folder / "alertmanager.yml"
    file.write_text(file.read_text().replace('alertname="Hooked"', f'alertname="{to}"'))


def by_signal(serve: Serve) -> None:
    serve.process.send_signal(signal.SIGHUP)


def by_request(serve: Serve) -> None:
    answer = serve.client.post("/-/reload")
    assert (answer.status_code, answer.text) == (200, "reloaded\n")


def by_itself(serve: Serve) -> None:
    """The files are watched."""


@pytest.mark.parametrize("reload", [by_signal, by_request, by_itself])
def test_a_new_config_is_taken(reloading, vendors, tmp_path, reload):
    epoch = reloading.metrics()["tocsin_config_epoch"]
    name = f"Rerouted{reload.__name__}"
    reroute(tmp_path, name)
    reload(reloading)
    until(lambda: reloading.metrics()["tocsin_config_epoch"] > epoch, "the plan has a higher epoch")
    assert reloading.alert(firing(name)).status_code == 202
    until(lambda: any(b["groupLabels"].get("alertname") == name for b in vendors.webhook.bodies), "the hook is told")


def test_a_bad_config_is_refused_and_the_old_one_kept(reloading, vendors, tmp_path):
    file = tmp_path / "alertmanager.yml"
    good = file.read_text()
    epoch = reloading.metrics()["tocsin_config_epoch"]
    file.write_text(good.replace("receiver: four", "receiver: five", 1))
    answer = reloading.client.post("/-/reload")
    assert answer.status_code == 500
    assert "the old configuration is kept" in answer.text
    assert "alertmanager.yml:8:" in answer.text
    series = reloading.metrics()
    assert (series["tocsin_config_last_reload_successful"], series["tocsin_config_epoch"]) == (0, epoch)
    assert series['tocsin_reloads_total{result="refused"}'] == 1
    assert reloading.alert(firing("Hooked", case="bad-config")).status_code == 202
    until(
        lambda: any(a["labels"].get("case") == "bad-config" for b in vendors.webhook.bodies for a in b["alerts"]),
        "the old routes hold",
    )
    file.write_text(good)
    by_request(reloading)
    assert reloading.metrics()["tocsin_config_last_reload_successful"] == 1


def test_a_config_that_is_gone_is_refused_and_the_old_one_kept(reloading, tmp_path):
    (tmp_path / "tocsin.yml").unlink()
    answer = reloading.client.post("/-/reload")
    assert answer.status_code == 500
    assert "tocsin.yml" in answer.text
    assert reloading.alert(firing("Watchdog")).status_code == 202


def test_a_secret_that_changed_counts_after_the_reload(reloading, tmp_path):
    file = tmp_path / "tocsin.yml"
    file.write_text(file.read_text().replace(TOKEN, "another-token"))
    by_request(reloading)

    def answered() -> bool:  # `receive` trusts what it knows of its sources for some seconds
        other = {"Authorization": "Bearer another-token"}
        return reloading.client.post("/webhooks/alertmanager", headers=other, content=BODY).status_code == 202

    until(answered, "the new token is taken")
    assert reloading.alert(firing("Watchdog")).status_code == 401


# ---- where it refuses to start ---------------------------------------------------------------------------------------


def test_a_second_serve_on_the_same_data_says_so_and_exits(serve, vendors, tmp_path):
    database = until(lambda: _data_of(serve), "the data directory is known")
    config = place(tmp_path, vendors)
    said = refused("--config", str(config), "--data", database, "--listen", "127.0.0.1:0", folder=tmp_path)
    assert "is in use by another `tocsin serve`" in said
    assert serve.client.get("/-/ready").status_code == 200


def _data_of(serve: Serve) -> str:
    arguments = serve.process.args
    assert isinstance(arguments, list)
    return str(arguments[arguments.index("--data") + 1])


def test_a_data_directory_that_is_none_is_said_in_a_sentence(vendors, tmp_path):
    config = place(tmp_path, vendors)
    said = refused("--config", str(config), "--data", str(config), "--listen", "127.0.0.1:0", folder=tmp_path)
    assert f"cannot keep anything in --data {config}: File exists" in said


def test_an_address_that_is_taken_is_said_in_a_sentence(serve, vendors, tmp_path):
    config = place(tmp_path, vendors)
    taken = serve.url.removeprefix("http://")
    said = refused("--config", str(config), "--data", "data", "--listen", taken, folder=tmp_path)
    assert f"cannot listen on {taken}: Address already in use; choose another address with --listen" in said


@pytest.mark.parametrize("listen", ["9093", "localhost", "127.0.0.1:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_said_in_a_sentence(vendors, tmp_path, listen):
    config = place(tmp_path, vendors)
    assert "is not HOST:PORT" in refused("--config", str(config), "--listen", listen, folder=tmp_path)


def test_an_alertmanager_yml_alone_is_open_on_loopback_and_nowhere_else(vendors, tmp_path):
    config = place(tmp_path, vendors).with_name("alertmanager.yml")
    (tmp_path / "tocsin.yml").unlink()
    for listen in ("0.0.0.0:0", ":0"):
        said = refused("--config", str(config), "--listen", listen, folder=tmp_path)
        assert "refusing to listen on 0.0.0.0: nobody has to prove who he is" in said
        assert "Name the sources" in said
    with Serve(config, tmp_path / "data") as serve:
        assert serve.client.post("/webhooks/alertmanager", content=BODY).status_code == 202


def test_a_config_with_errors_names_all_of_them_and_nothing_is_started(tmp_path):
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody, group_wait: soon}\nreceivers: [{name: somebody, colour: red}]\n")
    said = refused("--config", str(config), folder=tmp_path)
    for problem in ("nobody", "soon", "colour"):
        assert problem in said
    assert not (tmp_path / "data").exists()


def test_a_config_that_is_not_there_is_said_in_a_sentence(tmp_path):
    assert "nowhere.yml" in refused("--config", "nowhere.yml", folder=tmp_path)


# ---- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to_and_nothing_accepted_is_lost(tmp_path, how):
    names = [f"Alert{n:02}" for n in range(25)]
    with Vendors() as vendors:
        vendors.pagerduty.faults.always(delay=0.2)  # so that much is still to be told when it is told to end
        config = place(tmp_path, vendors)
        with Serve(config, tmp_path / "data") as first:
            assert all(first.alert(firing(name)).status_code == 202 for name in names)
            assert first.end(how) == 0
        assert "msg=stopped" in first.log[-1]
        assert "level=error" not in "".join(first.log)
        vendors.pagerduty.faults.clear()
        with Serve(config, tmp_path / "data") as second:
            until(
                lambda: len({i.dedup_key for i in vendors.pagerduty.incidents}) == 25, "all are told after the restart"
            )
            until(lambda: len(vendors.zendesk.tickets) == 25, "all have a ticket")
            assert second.end() == 0
        assert len(vendors.pagerduty.incidents) == 25
        assert len(vendors.zendesk.tickets) == 25
        assert len(vendors.slack.messages) == 25


def test_a_second_ctrl_c_does_not_hurt(tmp_path):
    with Vendors() as vendors, Serve(place(tmp_path, vendors), tmp_path / "data") as serve:
        for _ in range(3):
            serve.process.send_signal(signal.SIGINT)
        assert serve.end(signal.SIGINT) == 0


def test_a_connection_that_is_kept_open_does_not_keep_it_from_ending(tmp_path):
    with (
        Vendors() as vendors,
        Serve(place(tmp_path, vendors), tmp_path / "data") as serve,
        httpx.Client(base_url=serve.url, trust_env=False) as other,
    ):
        assert other.get("/-/healthy").status_code == 200
        assert serve.end() == 0
        with pytest.raises(httpx.TransportError):
            other.get("/-/healthy")


def test_the_data_directory_is_made_and_holds_one_database(tmp_path):
    with Vendors() as vendors, Serve(place(tmp_path, vendors), tmp_path / "a" / "b") as serve:
        assert serve.end() == 0
    assert [path.name for path in (tmp_path / "a" / "b").glob("*.sqlite")] == ["tocsin.sqlite"]
