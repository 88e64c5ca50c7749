"""The words in which a channel writes down its settings: secrets, templates, durations, scalars, HTTP clients.

A channel's settings are a model derived from ``Settings``. The loader reads YAML scalars as text and does, before the
model sees anything, what is the same for every channel:

- ``send_resolved`` is taken out (``Channel.send_resolved`` is its default); null values are dropped, as Go does.
- A ``SecretText`` or ``SecretUrl`` field ``x`` is replaced by a reference, ``{"$secret": name}``, and its sibling
  ``x_file`` by ``{"$file": path}`` under the name ``x``. Both at once are an error. A model never sees a secret's value
  and needs no ``x_file`` field: it may ask whether ``x`` is None.
- What is unset is filled in from the ``global:`` section as ``globals_`` says; ``http_config`` always is.
- Afterwards ``TemplateText`` fields are parsed as templates, at any depth.

The plan holds ``model_dump(by_alias=True)``: every field, unset ones as None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tocsin.durations import parse_duration, parse_go_duration
from tocsin.errors import DurationError
from tocsin.model import Json, Span

# YAML 1.1 booleans as gopkg.in/yaml.v2 resolves them.
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "n", "N", "off", "Off", "OFF"))
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?")


class Quoted(str):
    """A scalar that stood in quotes: text, whatever it looks like. Plain ones are ``str``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a field whose value must never be in a plan. ``url``: the value must be an http(s) URL."""

    url: bool = False
    template: bool = False


@dataclass(frozen=True, slots=True)
class FromFile:
    """Marks a field that is no secret but may be read from a file (``x_file``); ``path``: the text is itself a path."""

    path: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """Marks a field that is a template; ``html`` ones escape as html/template does."""

    html: bool = False


def check_url(text: str) -> str:
    """Let an absolute http(s) URL pass; ValueError says what is wrong without repeating the text (it may be secret)."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError(f"not a URL ({error}): write one such as https://example.org/path") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("not a URL that can be used here: it must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("missing host for URL: write one such as https://example.org/path")
    return text


def _reference(value: object) -> object:
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in {"$secret", "$file"}:
        return dict(value)
    raise ValueError("a secret must be text")


def _text_or_reference(value: object) -> object:
    return _reference(value) if isinstance(value, Mapping) else value


def read_bool(value: object) -> bool:
    """Read the words that YAML 1.1 has for true and false; ValueError for any other."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Quoted):
        raise ValueError(f"{value} is text: write true or false, without quotes")  # noqa: TRY004 (a sentence, as all)
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE
    raise ValueError(f'"{value}" is neither true nor false' if isinstance(value, str) else "must be true or false")


def _int(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Quoted):
        raise ValueError(f"{value} is text: write a whole number, without quotes")  # noqa: TRY004 (a sentence, as all)
    number = _number(str(value))
    if number is None or number != int(number):
        raise ValueError(f'"{value}" is not a whole number')
    return int(number)


def _number(text: str) -> int | float | None:
    """Read a plain scalar as gopkg.in/yaml.v2 does; None where it is no number."""
    digits = text.replace("_", "")
    if _OCTAL.fullmatch(digits):
        return int(digits, 8)
    try:
        return int(digits, 0)
    except ValueError:
        return float(digits) if _FLOAT.fullmatch(digits) else None


def read_scalar(text: str) -> Json:
    """Give a scalar the type that YAML gives it where the schema says nothing: quoted ones stay text."""
    if isinstance(text, Quoted):
        return str(text)
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = _number(text)
    return str(text) if number is None else number


def _any(value: object) -> object:
    if isinstance(value, str):
        return read_scalar(value)
    if isinstance(value, Mapping):
        return {str(key): _any(each) for key, each in value.items()}
    return [_any(each) for each in value] if isinstance(value, list) else value


def _duration(value: object) -> object:
    return value if isinstance(value, int) else _span(parse_duration, value)


def _go_duration(value: object) -> object:
    return value if isinstance(value, int) else _span(parse_go_duration, value)


def _span(parse: Any, value: object) -> object:  # noqa: ANN401 (a function of text)
    try:
        return parse(str(value))
    except DurationError as error:
        raise ValueError(str(error)) from None


SecretRef = dict[str, str]
"""``{"$secret": name}`` or ``{"$file": path}``."""

SecretText = Annotated[SecretRef, Secret(), BeforeValidator(_reference)]
"""A secret; write ``SecretText | None = None``. Its ``_file`` sibling needs no field."""

SecretUrl = Annotated[SecretRef, Secret(url=True), BeforeValidator(_reference)]
"""A secret that is an http(s) URL; checked by the loader, which alone sees it."""

SecretTemplateUrl = Annotated[SecretRef, Secret(url=True, template=True), BeforeValidator(_reference)]
"""A secret that is an http(s) URL, or a template of one (``webhook_configs``' ``url``)."""

FileText = Annotated[str | SecretRef, FromFile(), BeforeValidator(_text_or_reference)]
"""Text that is no secret: inline, or ``{"$file": path}`` by its ``_file`` sibling (a CA certificate, a user name)."""

FilePath = Annotated[SecretRef, FromFile(path=True), BeforeValidator(_reference)]
"""A path as text in the file, ``{"$file": path}`` in the plan."""

Url = Annotated[str, AfterValidator(check_url)]
"""An http(s) URL that is no secret (an API's endpoint)."""

TemplateText = Annotated[str, Template()]
"""A text template."""

TemplateHtml = Annotated[str, Template(html=True)]
"""A template whose values are escaped for HTML."""

Bool = Annotated[bool, BeforeValidator(read_bool)]
"""A bool, from the words YAML 1.1 has for it."""

Int = Annotated[int, BeforeValidator(_int)]
"""A whole number from text, as Go reads it (``0x1F`` too)."""

AnyYaml = Annotated[Any, BeforeValidator(_any)]
"""Whatever stands there, typed as YAML types it (a webhook's ``payload``); add ``Template()`` if its texts are."""

Duration = Annotated[Span, BeforeValidator(_duration)]
"""Nanoseconds, from a Prometheus duration (``1h30m``)."""

GoDuration = Annotated[Span, BeforeValidator(_go_duration)]
"""Nanoseconds, from a Go duration (``1.5s``): upstream reads some timeouts so."""


class Strict(BaseModel):
    """A mapping that knows all its keys."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Settings(Strict):
    """One entry of a ``*_configs`` list.

    ``globals_`` maps a field to the key of the ``global:`` section that stands in for it while it is unset, for example
    ``{"api_url": "slack_api_url"}``. The value comes ready made: a reference where it is a secret, else typed.
    """

    globals_: ClassVar[dict[str, str]] = {}

    @classmethod
    def with_globals(cls, settings: Mapping[str, Any], global_: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in from the ``global:`` section what is unset; override where that depends on other fields.

        Args:
            settings: what the entry says, secrets already replaced by references, null values dropped.
            global_: the whole section with its defaults, under Alertmanager's keys; unset ones are None. A secret's
                ``_file`` form is folded into the secret's own key.
        """
        filled = dict(settings)
        wanted = dict(cls.globals_)
        if "http_config" in cls.model_fields:
            wanted.setdefault("http_config", "http_config")
        for field, key in wanted.items():
            if filled.get(field) is None and global_.get(key) is not None:
                filled[field] = global_[key]
        return filled


class TlsConfig(Strict):
    """``tls_config``. ``ca``, ``cert`` and ``key`` hold PEM, inline or by their ``_file`` siblings."""

    ca: FileText | None = None
    cert: FileText | None = None
    key: SecretText | None = None
    server_name: str = ""
    insecure_skip_verify: Bool = False
    min_version: str = ""
    max_version: str = ""

    @model_validator(mode="after")
    def _check(self) -> TlsConfig:
        known = ("", "TLS10", "TLS11", "TLS12", "TLS13")
        if self.min_version not in known or self.max_version not in known:
            raise ValueError("unknown TLS version: use TLS10, TLS11, TLS12 or TLS13")
        if (self.cert is None) != (self.key is None):
            raise ValueError("exactly one of cert and key is configured: a client certificate needs both")
        return self


class BasicAuth(Strict):
    """``basic_auth``."""

    username: FileText | None = None
    password: SecretText | None = None


class Authorization(Strict):
    """``authorization``: the header's scheme and what follows it."""

    type: str = "Bearer"
    credentials: SecretText | None = None

    @model_validator(mode="after")
    def _check(self) -> Authorization:
        self.type = self.type.strip() or "Bearer"
        if self.type.lower() == "basic":
            raise ValueError('authorization type cannot be set to "basic", use "basic_auth" instead')
        return self


class Proxy(Strict):
    """How to get out: the proxy keys that ``http_config`` and ``oauth2`` share."""

    proxy_url: SecretText | None = None
    no_proxy: str = ""
    proxy_from_environment: Bool = False
    proxy_connect_header: dict[str, list[SecretText]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_proxy(self) -> Proxy:
        if self.proxy_from_environment and self.proxy_url is not None:
            raise ValueError("if proxy_from_environment is configured, proxy_url must not be configured")
        if self.proxy_from_environment and self.no_proxy:
            raise ValueError("if proxy_from_environment is configured, no_proxy must not be configured")
        if self.no_proxy and self.proxy_url is None:
            raise ValueError("if no_proxy is configured, proxy_url must also be configured")
        if self.proxy_connect_header and self.proxy_url is None and not self.proxy_from_environment:
            raise ValueError(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"
            )
        return self


class OAuth2(Proxy):
    """``oauth2``: client credentials."""

    client_id: str = ""
    client_secret: SecretText | None = None
    scopes: list[str] = Field(default_factory=list)
    token_url: str = ""
    endpoint_params: dict[str, str] = Field(default_factory=dict)
    tls_config: TlsConfig | None = None

    @model_validator(mode="after")
    def _check(self) -> OAuth2:
        if not self.client_id:
            raise ValueError("oauth2 client_id must be configured")
        if not self.token_url:
            raise ValueError("oauth2 token_url must be configured")
        return self


class HttpHeader(Strict):
    """One entry of ``http_headers``."""

    values: list[str] = Field(default_factory=list)
    secrets: list[SecretText] = Field(default_factory=list)
    files: list[FilePath] = Field(default_factory=list)


class HttpConfig(Proxy):
    """``http_config``: how an HTTP client of a receiver behaves.

    ``bearer_token(_file)`` is folded into ``authorization``. Source: prometheus/common ``config/http_config.go``.
    """

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    bearer_token: SecretText | None = None
    tls_config: TlsConfig | None = None
    follow_redirects: Bool = True
    enable_http2: Bool = True
    http_headers: dict[str, HttpHeader] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> HttpConfig:
        named = [name for name in ("basic_auth", "authorization", "oauth2", "bearer_token") if getattr(self, name)]
        if len(named) > 1:
            raise ValueError(f"at most one of {' and '.join(named)} must be configured")
        if self.bearer_token is not None:
            self.authorization = Authorization(credentials=self.bearer_token)
            self.bearer_token = None
        return self
