"""What every channel's wire body has in common: canonical bytes, cut to size, free of secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tocsin.model import SECOND, Span

if TYPE_CHECKING:
    from tocsin.rendering import Notification

ELLIPSIS = "…"
REDACTED = "<secret>"
SHORTEST_SECRET = 6  # redacting "a" would make every reason unreadable
REASON_LIMIT = 300  # characters of a vendor's own words that a receipt keeps
YAML_LIMIT = 64 * 1024  # a rendered value larger than this is text, unless it is JSON
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")


def canonical(body: object) -> bytes:
    """Print JSON so that equal bodies are equal bytes: sorted keys, no blanks, ASCII."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def clean(text: str) -> str:
    """Drop what JSON can carry but vendors refuse: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def clip(text: str, limit: int) -> str:
    """Cut a text to so many characters, the last of which says that something is missing."""
    text = clean(text)
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS


def digest(*parts: str) -> str:
    """Name a combination of texts by 64 hex digits."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def render_tree(value: Any, notification: Notification) -> Any:  # noqa: ANN401 (YAML is any)
    """Render every text within a value; what comes out as YAML structure (or a number) becomes that.

    Source: Alertmanager ``template/template.go`` (``DeepCopyWithTemplate``).
    """
    if isinstance(value, str):
        return _typed(notification.text(value))
    if isinstance(value, Mapping):
        return {clean(notification.text(str(key))): render_tree(part, notification) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [render_tree(part, notification) for part in value]
    return value


def _typed(text: str) -> Any:  # noqa: ANN401 (YAML is any)
    text = clean(text)
    try:
        return json.loads(text)
    except ValueError:
        pass
    # An alias in a hostile label would unfold without end (https://en.wikipedia.org/wiki/Billion_laughs_attack).
    if len(text) > YAML_LIMIT or ("&" in text and "*" in text):
        return text
    import yaml  # noqa: PLC0415 (what is JSON, as most is, needs none of it)

    try:
        parsed = yaml.safe_load(text)
        json.dumps(parsed)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):
        return text
    return text if isinstance(parsed, str) else parsed


def secrets_of(settings: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Collect the secret values of these settings and of ``http_config``, to keep them out of reasons."""
    found = {str(settings[name]).strip() for name in names if settings.get(name)}
    found.update(_leaves(settings.get("http_config") or {}))
    for url in [secret for secret in found if secret.startswith(("http://", "https://"))]:
        parts = urlsplit(url)
        found.update((parts.path, parts.query, *parts.path.split("/")[-1:]))
    return tuple(sorted((secret for secret in found if len(secret) >= SHORTEST_SECRET), key=len, reverse=True))


def _leaves(value: Any) -> Iterator[str]:  # noqa: ANN401 (settings are any JSON)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in {"type", "username", "min_version", "max_version", "server_name", "no_proxy"}:
                yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)


def spoken(text: str, secrets: Iterable[str]) -> str:
    """Make a vendor's words fit for a receipt: one line, no secrets (in base64 neither), not too long."""
    known = tuple(secrets)
    text = _BASE64.sub(lambda found: REDACTED if _hides(found.group(), known) else found.group(), text)
    for secret in known:
        text = text.replace(secret, REDACTED)
    return clip(" ".join(text.split()), REASON_LIMIT)


def _hides(encoded: str, secrets: Iterable[str]) -> bool:
    """Whether base64 holds a secret, as the Authorization header does that an echoing server repeats."""
    digits = encoded.rstrip("=").translate(_URL_SAFE)
    digits = digits[:-1] if len(digits) % 4 == 1 else digits  # no bytes encode to that length
    plain = base64.b64decode(digits + "=" * (-len(digits) % 4))
    return any(secret.encode("utf-8", "surrogatepass") in plain for secret in secrets)


def seconds(span: Span | None, default: float) -> float:
    """Turn a timeout setting (nanoseconds, 0 or None is unset) into seconds."""
    return span / SECOND if span else default
