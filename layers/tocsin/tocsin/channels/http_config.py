"""``http_config`` as each HTTP library understands it (prometheus/common ``config/http_config.go``)."""

from __future__ import annotations

import base64
import logging
import ssl
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx
    import requests

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
OAUTH2_TIMEOUT = 5.0  # seconds
# For SDKs that log: their words repeat ours, and some carry URLs, bodies and ends of keys.
SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 (outside the tree, so that no setting wakes it)

Config = Mapping[str, Any]


class TokenError(OSError):
    """No token was to be had, so the request itself was never made."""


def tls_context(tls: Config | None) -> ssl.SSLContext:
    """Make the context that ``tls_config`` describes; PEM texts come resolved."""
    tls = tls or {}
    context = ssl.create_default_context(cadata=tls.get("ca") or None)
    if tls.get("insecure_skip_verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.get("min_version"):
        context.minimum_version = _VERSIONS[tls["min_version"]]
    if tls.get("max_version"):
        context.maximum_version = _VERSIONS[tls["max_version"]]
    if tls.get("cert") and tls.get("key"):
        # OpenSSL reads client certificates from files only; this one is gone when the context has it.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            pem.write(f"{tls['cert']}\n{tls['key']}\n")
            pem.flush()
            context.load_cert_chain(pem.name)
    return context


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
        made["Authorization"] = f"Bearer {_oauth2_token(config['oauth2'])}"
    return made


def proxy_for(config: Config | None, url: str) -> str | None:
    """Give the proxy for a URL, unless ``no_proxy`` exempts its host."""
    config = config or {}
    host = urlsplit(url).hostname or ""
    exempt = (name.strip().lstrip(".") for name in (config.get("no_proxy") or "").split(","))
    if any(name and (name in {"*", host} or host.endswith(f".{name}")) for name in exempt):
        return None
    return config.get("proxy_url") or None


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


def _oauth2_token(oauth2: Config) -> str:
    """Fetch a token by client credentials (https://www.rfc-editor.org/rfc/rfc6749#section-4.4)."""
    import httpx  # noqa: PLC0415 (as above)

    form = {"grant_type": "client_credentials", **(oauth2.get("endpoint_params") or {})}
    if oauth2.get("scopes"):
        form["scope"] = " ".join(oauth2["scopes"])
    try:
        return _ask_for_token(oauth2, form)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise TokenError(f"no OAuth2 token: {type(error).__name__}") from None


def _ask_for_token(oauth2: Config, form: Mapping[str, str]) -> str:
    import httpx  # noqa: PLC0415 (as above)

    url = oauth2["token_url"]
    with httpx.Client(
        verify=tls_context(oauth2.get("tls_config")),
        proxy=proxy_for(oauth2, url),
        trust_env=bool(oauth2.get("proxy_from_environment")),
        timeout=OAUTH2_TIMEOUT,
    ) as client:
        answer = client.post(url, data=form, auth=(oauth2["client_id"], str(oauth2.get("client_secret") or "")))
        answer.raise_for_status()
        return str(answer.json()["access_token"])
