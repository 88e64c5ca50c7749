"""An integration's settings with the secrets filled in, for as long as one request lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.ports import Secrets


def filled(value: Any, secrets: Secrets) -> Any:  # noqa: ANN401 (JSON)
    """Replace every ``{"$secret": name}`` and ``{"$file": path}`` by what it names, or raise ``SecretError``."""
    if isinstance(value, Mapping):
        if "$secret" in value:
            return secrets.get(value["$secret"])
        if "$file" in value:
            return secrets.get(f"file:{value['$file']}")
        return {key: filled(inner, secrets) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled(inner, secrets) for inner in value]
    return value
