"""The functions Alertmanager adds to Go's.

Source: https://prometheus.io/docs/alerting/latest/notifications/#functions and ``template/template.go`` of 0.34.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from functools import lru_cache

import re2

from tocsin.model import SECOND, Instant
from tocsin.templates import casing, gofmt, gojson, gotime
from tocsin.templates.builtins import BUILTINS
from tocsin.templates.civil import load_location
from tocsin.templates.datavalues import StringSlice
from tocsin.templates.timeparse import parse_time
from tocsin.templates.timevalues import TIME, Duration, Time, between
from tocsin.templates.values import (
    ANY,
    ANYS,
    STRING,
    STRINGS,
    Failure,
    Function,
    Html,
    Number,
    Url,
    Value,
    as_bytes,
    as_text,
    type_name,
)

LIST_LIMIT = 100_000  # entries of one list: far beyond any notification's alerts
_PREFIXES = "munpfazy"  # milli … yocto, as humanizeDuration writes them
_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_FLOAT = re.compile(
    r"[+-]?(?:(?:\d+(?:_?\d)*\.?(?:\d+)?|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan"
    r"|0x[0-9a-f]*\.?[0-9a-f]*p[+-]?\d+)", re.ASCII | re.IGNORECASE
)  # fmt: skip
# unicode.IsSpace: https://pkg.go.dev/unicode#IsSpace
_GO_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@lru_cache(maxsize=512)
def _regexp(pattern: str) -> Value:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise Failure(f"error parsing regexp: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _match(pattern: str, text: str) -> bool:
    return _regexp(pattern).search(_clean(text)) is not None


def _clean(text: str) -> str:
    """Replace what is no UTF-8, which RE2 does not take."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text) if not text.isascii() else text


def _replace(pattern: str, replacement: str, text: str) -> str:
    """Replace every match; ``$1``, ``${1}`` and ``${name}`` stand for groups, one that is not there for nothing."""
    regexp = _regexp(pattern)
    text, parts, position, last, size = _clean(text), [], 0, -1, 0
    for match in regexp.finditer(text):
        start, end = match.span()
        if start == end == last:  # an empty match right behind a match is none, as in Go
            continue
        parts += [text[position:start], _expand(replacement, match, regexp)]
        size += len(parts[-1])
        if size > gofmt.OUTPUT_LIMIT:
            raise Failure(f"the text grows beyond {gofmt.OUTPUT_LIMIT} characters")
        position = last = end
    return "".join([*parts, text[position:]])


def _join(glue: str, texts: Sequence[str] | None) -> str:
    texts = texts or ()
    if len(glue) * len(texts) + sum(map(len, texts)) > gofmt.OUTPUT_LIMIT:
        raise Failure(f"the text grows beyond {gofmt.OUTPUT_LIMIT} characters")
    return glue.join(texts)


def _expand(replacement: str, match: Value, regexp: Value) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name.isascii() and name.isdigit():
            return (match.group(int(name)) or "") if int(name) <= regexp.groups else ""
        return (match.group(name) or "") if name in regexp.groupindex else ""

    return _REFERENCE.sub(group, replacement)


def _unescape(text: str) -> str:
    wrong = _PERCENT.search(text)
    if wrong:
        raise Failure(f'invalid URL escape "{wrong[0]}"')
    return as_text(urllib.parse.unquote_to_bytes(as_bytes(text.replace("+", " "))))


def _tz(name: str, time: Time) -> Time:
    try:
        return time.within(load_location(name))
    except LookupError as error:
        raise Failure(str(error)) from error


def _to_date(layout: str, text: str) -> Time:
    try:
        return Time(*parse_time(layout, text))
    except ValueError:
        return Time(gotime.ZERO)


def _must_to_date(layout: str, text: str) -> Time:
    try:
        return Time(*parse_time(layout, text))
    except ValueError as error:
        raise Failure(str(error)) from error


def _seconds(value: Value) -> float:
    if isinstance(value, Duration):
        return int(value) / SECOND
    if type(value) is str:
        if not _FLOAT.fullmatch(value):
            raise Failure(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
        return float.fromhex(value) if "0x" in value.lower() else float(value)
    if type(value) in {int, float} or type(value) is Number:
        return float(value)
    raise Failure(f"can't convert {type_name(value)} to float")


def humanize_duration(value: Value) -> str:
    """Write seconds (a number, a numeric text or a Duration) for people: ``1d 2h 3m 4s``, ``12.5ms``.

    Source: prometheus/common ``helpers/templates/humanize_duration.go``.
    """
    seconds = _seconds(value)
    if not math.isfinite(seconds):
        return "NaN" if math.isnan(seconds) else ("+Inf" if seconds > 0 else "-Inf")
    if abs(seconds) >= 1:
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        whole = int(seconds)
        days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
        if days:
            return f"{sign}{days}d {hours}h {minutes}m {whole % 60}s"
        if hours:
            return f"{sign}{hours}h {minutes}m {whole % 60}s"
        return f"{sign}{minutes}m {whole % 60}s" if minutes else f"{sign}{seconds:.4g}s"
    prefix = ""
    for smaller in _PREFIXES if seconds else "":
        if abs(seconds) >= 1:
            break
        prefix = smaller
        seconds *= 1000
    return f"{seconds:.4g}{prefix}s"


def _decode(text: str) -> str:
    raw = as_bytes(text.replace("\r", "").replace("\n", ""))
    if not re.fullmatch(rb"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?", raw):
        raise Failure("illegal base64 data")
    try:
        return as_text(base64.urlsafe_b64decode(raw))
    except binascii.Error as error:  # pragma: no cover - the pattern leaves nothing to object to
        raise Failure("illegal base64 data") from error


def _append(slice_: list[Value] | None, *values: Value) -> list[Value]:
    grown = [*(slice_ or []), *values]
    if len(grown) > LIST_LIMIT:
        raise Failure(f"the list grows beyond {LIST_LIMIT} entries")
    return grown


def _dict(*values: Value) -> dict[str, Value]:
    if len(values) % 2:
        raise Failure("dict requires an even number of arguments")
    if any(type(key) is not str for key in values[::2]):
        raise Failure("dict keys must be strings")
    return dict(zip(values[::2], values[1::2], strict=True))


FUNCTIONS: Mapping[str, Function] = {
    **BUILTINS,
    "toUpper": Function((STRING,), casing.upper),
    "toLower": Function((STRING,), casing.lower),
    "title": Function((STRING,), casing.title),
    "trimSpace": Function((STRING,), lambda text: text.strip(_GO_BLANKS)),
    "join": Function((STRING, STRINGS), _join),
    "match": Function((STRING, STRING), _match),
    "safeHtml": Function((STRING,), Html),
    "safeUrl": Function((STRING,), Url),
    "urlUnescape": Function((STRING,), _unescape),
    "reReplaceAll": Function((STRING, STRING, STRING), _replace),
    "stringSlice": Function((), lambda *texts: StringSlice(texts), STRING),
    "routeLabels": Function((STRING,), lambda _: ""),  # bound for each execution, as the next two
    "now": Function((), lambda: Time(0)),
    "since": Function((TIME,), lambda _: Duration(0)),
    "date": Function((STRING, TIME), lambda layout, time: time.format(layout)),
    "tz": Function((STRING, TIME), _tz),
    "humanizeDuration": Function((ANY,), humanize_duration),
    "toDate": Function((STRING, STRING), _to_date),
    "mustToDate": Function((STRING, STRING), _must_to_date),
    "toJson": Function((ANY,), gojson.dumps),
    "base64encode": Function((STRING,), lambda text: base64.urlsafe_b64encode(as_bytes(text)).decode()),
    "base64decode": Function((STRING,), _decode),
    "list": Function((), lambda *values: list(values), ANY),
    "append": Function((ANYS,), _append, ANY),
    "dict": Function((), _dict, ANY),
}


def clocked(now: Instant) -> dict[str, Function]:
    """Return the functions that ask for the time, answered by the moment the notification was decided."""
    moment = Time(now)
    return {
        "now": Function((), lambda: moment),
        "since": Function((TIME,), lambda time: between(moment, time)),
    }
