"""``http_config`` as each HTTP library understands it (prometheus/common ``config/http_config.go``)."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tocsin.channels.oauth2 import token
from tocsin.channels.tls import proxy_for, tls_context

if TYPE_CHECKING:
    import httpx
    import requests

# For SDKs that log: their words repeat ours, and some carry URLs, bodies and ends of keys.
SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 (outside the tree, so that no setting wakes it)

Config = Mapping[str, Any]


def headers(config: Config | None) -> dict[str, str]:
    """Give the headers that ``basic_auth``, ``authorization``, ``oauth2`` and ``http_headers`` ask for."""
    config = config or {}
    made: dict[str, str] = {}
    for name, header in (config.get("http_headers") or {}).items():
        values = [*(header.get("values") or ()), *(header.get("secrets") or ()), *(header.get("files") or ())]
        made[name] = ", ".join(str(value).strip() for value in values)
    authorization, basic = config.get("authorization") or {}, config.get("basic_auth") or {}
    if basic:
        pair = f"{basic.get('username') or ''}:{basic.get('password') or ''}"
        made["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    if authorization.get("credentials"):
        made["Authorization"] = f"{authorization.get('type') or 'Bearer'} {authorization['credentials'].strip()}"
    elif config.get("oauth2"):
        made["Authorization"] = f"Bearer {token(config['oauth2'])}"
    return made


def httpx_client(config: Config | None, url: str, timeout: float) -> httpx.Client:
    """Open an httpx client for one URL; ``timeout`` is in seconds, for each of connecting, writing and reading."""
    import httpx  # noqa: PLC0415 (37 ms that only its users pay)

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL at INFO, and ours are secrets
    config = config or {}
    proxy = proxy_for(config, url)
    connect = {name: ", ".join(values) for name, values in (config.get("proxy_connect_header") or {}).items()}
    return httpx.Client(
        headers=headers(config),
        verify=tls_context(config.get("tls_config")),
        proxy=httpx.Proxy(proxy, headers=connect) if proxy else None,
        trust_env=bool(config.get("proxy_from_environment")),
        follow_redirects=bool(config.get("follow_redirects", True)),
        timeout=timeout,
    )


def verified_name(config: Config | None) -> dict[str, str]:
    """Give the request extension by which httpx verifies ``tls_config.server_name`` instead of the URL's host."""
    name = ((config or {}).get("tls_config") or {}).get("server_name")
    return {"sni_hostname": name} if name else {}


def prepare_session(session: requests.Session, config: Config | None, url: str) -> None:
    """Set up a ``requests`` session for one URL: no retries, no environment, what ``http_config`` says."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 (only channels on requests pay for it)

    config = config or {}
    tls = config.get("tls_config") or {}
    context, server_name = tls_context(tls), tls.get("server_name")

    class Adapter(HTTPAdapter):
        """The context alone decides whom to trust; requests would add its own bundle to a configured CA."""

        def _pool_for(self, request: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401
            parts = urlsplit(request.url)
            named = {"server_hostname": server_name} if server_name else {}
            host = {"scheme": parts.scheme, "host": parts.hostname, "port": parts.port}
            return host, {"ssl_context": context, **named} if parts.scheme == "https" else {}

        def build_connection_pool_key_attributes(
            self,
            request: Any,  # noqa: ANN401 (requests' signature)
            verify: Any,  # noqa: ANN401, ARG002
            cert: Any = None,  # noqa: ANN401, ARG002
        ) -> Any:  # noqa: ANN401
            return self._pool_for(request)

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ANN401
            pass

    session.mount("https://", Adapter(max_retries=0))
    session.mount("http://", Adapter(max_retries=0))
    session.trust_env = bool(config.get("proxy_from_environment"))
    session.headers.update(headers(config))
    proxy = proxy_for(config, url)
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
