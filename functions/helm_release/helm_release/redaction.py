"""Keep what a template passed in as a value, and every credential, out of logs and answers.

Helm quotes values in its errors ("cannot unmarshal … into", a template's ``fail``, an API server's field error), plain
or, for a Secret, in base64.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MARK = "[redacted]"
SHORTEST = 6  # shorter texts ("true", "2Gi", "https") are no secrets, and taking them out would leave no sentence

# A bearer token of EKS, and the query of a presigned address, wherever they come from.
_CREDENTIALS = re.compile(
    r"k8s-aws-v1\.[\w-]+|(?<=[?&])(X-Amz-[\w-]+|Signature|AWSAccessKeyId)=[^&\s\"]+", re.IGNORECASE
)


class Redactor:
    """Takes known secrets out of texts.

    Args:
        secrets: what must not be seen, in full.
        public: what may be seen though a secret contains it or equals it: the names of the release.
    """

    def __init__(self, secrets: Iterable[str], public: Iterable[str] = ()) -> None:
        shown = set(public)
        forms = {
            form for secret in secrets if len(secret) >= SHORTEST and secret not in shown for form in _forms(secret)
        }
        # The longest first, or a part of a secret would be replaced and the rest of it shown.
        ordered = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without what it must not show."""
        if self._known is not None:
            text = self._known.sub(MARK, text)
        return _CREDENTIALS.sub(MARK, text)


def leaves(values: Any) -> Iterable[str]:  # noqa: ANN401 - any JSON
    """Every scalar within ``values`` as text, keys aside."""
    if isinstance(values, Mapping):
        for inner in values.values():
            yield from leaves(inner)
    elif isinstance(values, str):
        yield values
        yield from (line.strip() for line in values.splitlines()[1:])
    elif isinstance(values, Sequence):
        for inner in values:
            yield from leaves(inner)
    elif isinstance(values, (int, float)) and not isinstance(values, bool):
        yield str(values)


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield base64.b64encode(secret.encode()).decode()
