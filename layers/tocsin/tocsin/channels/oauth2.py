"""``oauth2`` of ``http_config``: a token by client credentials, before the request that bears it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.channels.tls import proxy_for, tls_context

OAUTH2_TIMEOUT = 5.0  # seconds

Config = Mapping[str, Any]


class TokenError(OSError):
    """No token was to be had, so the request itself was never made."""


def token(oauth2: Config) -> str:
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
