"""``tls_config`` and the proxy keys of ``http_config``: how to get to a vendor, and whom to trust there."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}

Config = Mapping[str, Any]


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


def proxy_for(config: Config | None, url: str) -> str | None:
    """Give the proxy for a URL, unless ``no_proxy`` exempts its host."""
    config = config or {}
    host = urlsplit(url).hostname or ""
    exempt = (name.strip().lstrip(".") for name in (config.get("no_proxy") or "").split(","))
    if any(name and (name in {"*", host} or host.endswith(f".{name}")) for name in exempt):
        return None
    return config.get("proxy_url") or None
