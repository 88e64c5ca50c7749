"""``tls_config`` and the proxy keys of ``http_config``: how to get to a vendor, and whom to trust there."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from functools import lru_cache
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
    """Give the context that ``tls_config`` describes; PEM texts come resolved.

    To read the system's authorities costs 30 ms of CPU, so equal configs share one context for as long as the process
    lives: rotated PEM texts make another one, new authorities of the system need a restart.
    """
    tls = tls or {}
    names = ("ca", "cert", "key", "min_version", "max_version")
    return _context(*(str(tls.get(name) or "") for name in names), skip_verify=bool(tls.get("insecure_skip_verify")))


@lru_cache(maxsize=32)
def _context(ca: str, cert: str, key: str, min_version: str, max_version: str, *, skip_verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if min_version:
        context.minimum_version = _VERSIONS[min_version]
    if max_version:
        context.maximum_version = _VERSIONS[max_version]
    if cert and key:
        # OpenSSL reads client certificates from files only; this one is gone when the context has it.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            pem.write(f"{cert}\n{key}\n")
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
