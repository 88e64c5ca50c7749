"""A Kubernetes API server on loopback, over TLS with its own authority, for helm and kubectl as they are."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.helm.kubernetes_protobuf import MAGIC, secret
from tests.helm.kubernetes_store import Key, MissingError, Object, Store

WATCH_SECONDS = 60.0


class KubernetesApi:
    """The server: ``store`` is what it has, ``requests`` what it was asked, ``tokens`` who asked."""

    def __init__(self, directory: Path, host: str = "127.0.0.1") -> None:
        self.store = Store()
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.failures: list[str] = []
        self.authority, certificate = _certificate(directory, host)
        self._server = _Server((host, 0), _Handler)
        self._server.api = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"https://{host}:{port}"

    def writes(self) -> list[tuple[str, str]]:
        """Requests that change something, whether an object or helm's own book-keeping."""
        return [(method, path) for method, path in self.requests if method != "GET"]

    def named(self, plural: str, namespace: str, name: str, version: str = "v1") -> Object:
        return self.store.get((version, plural, namespace, name))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: KubernetesApi

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up (a killed helm, the end of a watch) is no failure; all else fails the test."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.api.failures.append(repr(error))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        api = self.server.api
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api.requests.append((method, url.path))
        api.tokens.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        try:
            discovered = self._discovery(url.path)
            if discovered is not None:
                self._json(200, discovered)
                return
            key = self._key(url.path)
            if method == "GET":
                self._read(key, query)
            else:
                self._write(method, key, query, _decoded(raw) if method != "DELETE" else {})
        except MissingError:
            self._json(404, _status(404, "NotFound", f"{url.path} not found"))

    def _discovery(self, path: str) -> Object | None:
        kinds = self.server.api.store.kinds
        groups = sorted(version for version in kinds if "/" in version)
        parts = path.strip("/").split("/")
        if path == "/version":
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}
        if path == "/openapi/v3":
            served = {("api/v1" if each == "v1" else f"apis/{each}") for each in kinds}
            return {"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in sorted(served)}}
        if path.startswith("/openapi/v3/"):
            version = path.removeprefix("/openapi/v3/").split("/", 1)[1]
            return _openapi(version, kinds[version])
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            named = [{"groupVersion": each, "version": each.split("/")[1]} for each in groups]
            listed = [
                {"name": each["groupVersion"].split("/")[0], "versions": [each], "preferredVersion": each}
                for each in named
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        version = "/".join(parts[1:])
        if parts[0] in {"api", "apis"} and version in kinds:
            return _resources(version, kinds[version])
        return None

    def _key(self, path: str) -> Key:
        parts = path.strip("/").split("/")
        version, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        if (
            version not in self.server.api.store.kinds
            or not rest
            or rest[0] not in self.server.api.store.kinds[version]
        ):
            raise MissingError(path)
        return (version, rest[0], namespace, rest[1] if len(rest) > 1 else "")

    def _read(self, key: Key, query: dict[str, str]) -> None:
        store = self.server.api.store
        if key[3]:
            self._json(200, self._typed(key, store.get(key)))
            return
        prefix = (key[0], key[1], key[2])
        if query.get("watch") in {"true", "1"}:
            self._watch(prefix, query)
            return
        kind = store.kinds[key[0]][key[1]][0]
        found = store.select(prefix, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        metadata = {"resourceVersion": str(store.version)}
        listed = [self._typed(key, each) for each in found]
        self._json(200, {"apiVersion": key[0], "kind": f"{kind}List", "metadata": metadata, "items": listed})

    def _write(self, method: str, key: Key, query: dict[str, str], sent: Object) -> None:
        store = self.server.api.store
        if method == "POST":
            key = (*key[:3], sent["metadata"]["name"])
            if key in store.objects:
                self._json(409, _status(409, "AlreadyExists", f'{key[1]} "{key[3]}" already exists'))
                return
            self._json(201, self._typed(key, store.put(key, sent)))
        elif method == "PUT":
            store.get(key)
            self._json(200, self._typed(key, store.put(key, sent)))
        elif method == "DELETE":
            self._json(200, self._typed(key, store.delete(key)))
        elif self.headers["Content-Type"].startswith("application/apply-patch"):
            created = key not in store.objects
            applied = store.apply(key, query["fieldManager"], sent)
            self._json(201 if created else 200, self._typed(key, applied))
        else:
            self._json(200, self._typed(key, store.merge(key, sent)))

    def _watch(self, prefix: tuple[str, str, str], query: dict[str, str]) -> None:
        store = self.server.api.store
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        since = int(query.get("resourceVersion") or 0)
        if query.get("sendInitialEvents") == "true":
            since = store.version
            for each in store.select(prefix, query.get("labelSelector", ""), query.get("fieldSelector", "")):
                self._event("ADDED", prefix, each)
            bookmark = {"resourceVersion": str(since), "annotations": {"k8s.io/initial-events-end": "true"}}
            self._event("BOOKMARK", prefix, {"metadata": bookmark})
        for change in store.watch(prefix, since, float(query.get("timeoutSeconds") or WATCH_SECONDS)):
            if change is None:
                self.wfile.flush()
            else:
                self._event(change[0], prefix, change[1])
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, kind: str, prefix: tuple[str, str, str], changed: Object) -> None:
        line = json.dumps({"type": kind, "object": self._typed((*prefix, ""), changed)}).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def _typed(self, key: Key, found: Object) -> Object:
        return {"apiVersion": key[0], "kind": self.server.api.store.kinds[key[0]][key[1]][0], **found}

    def _json(self, code: int, answer: Object) -> None:
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _decoded(body: bytes) -> Object:
    return secret(body) if body.startswith(MAGIC) else yaml.safe_load(body)


def _resources(version: str, kinds: dict[str, tuple[str, bool]]) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    listed = [
        {"name": plural, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": verbs}
        for plural, (kind, namespaced) in kinds.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _openapi(version: str, kinds: dict[str, tuple[str, bool]]) -> Object:
    """As much of the document as clients look at: that the server checks fields itself (``fieldValidation``)."""
    group, _, number = version.rpartition("/")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("fieldValidation", "dryRun")]
    paths = {}
    for plural, (kind, namespaced) in kinds.items():
        root = f"/apis/{version}" if group else "/api/v1"
        scope = "/namespaces/{namespace}" if namespaced else ""
        gvk = {"group": group, "version": number, "kind": kind}
        patch = {"parameters": parameters, "x-kubernetes-group-version-kind": gvk, "responses": {}}
        paths[f"{root}{scope}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths}


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def _certificate(directory: Path, host: str) -> tuple[str, Path]:
    """A self-signed certificate for an address: its PEM in base64, as EKS tells it, and the file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "server.pem"
    file.write_bytes(pem + secret)
    return base64.b64encode(pem).decode(), file
