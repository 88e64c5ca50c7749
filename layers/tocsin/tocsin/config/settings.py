"""From a mapping in a file to validated settings: secrets out, files named, globals filled in, sentences placed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tocsin.config.document import Findings, Node, locate, to_plain, unknown_key
from tocsin.config.fields import FromFile, Secret, Settings, Template, check_url
from tocsin.errors import TemplateError

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html (Name)
_NOT_IN_SECRET_NAMES = re.compile(r"[^A-Za-z0-9/_+=.@-]")
_NO_TEXT = "must be text"

Path_ = tuple[str | int, ...]


@dataclass(slots=True)
class Workshop:
    """What reading one file needs and collects.

    ``secrets`` maps names to values; ``shared`` those of the ``global:`` section, kept once a channel uses them.
    ``join_all``: every relative path is meant from the file's folder (tocsin.yml);
    else, as in Alertmanager, only those within ``http_config`` are, and others from the working directory.
    ``check_template`` raises ``TemplateError``.
    """

    findings: Findings
    folder: Path
    check_template: Callable[[str], None]
    secrets: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    join_all: bool = False

    def keep_secret(self, wanted: str, value: str) -> dict[str, str]:
        """Put a value aside; gives the reference that stands for it."""
        name = wanted = _NOT_IN_SECRET_NAMES.sub("-", wanted)
        count = 1
        while name in self.secrets:
            count += 1
            name = f"{wanted}-{count}"
        self.secrets[name] = value
        return {"$secret": name}

    def adopt(self, value: Any, channel: str) -> Any:  # noqa: ANN401 (settings)
        """Rename the global secrets within a channel's settings to names of its own: each channel reads only those."""
        if isinstance(value, list):
            return [self.adopt(each, channel) for each in value]
        if not isinstance(value, dict):
            return value
        name = value.get("$secret")
        if name in self.shared and len(value) == 1:
            self.secrets[f"{channel}/{name}"] = self.shared[name]
            return {"$secret": f"{channel}/{name}"}
        return {key: self.adopt(each, channel) for key, each in value.items()}

    def file(self, path: Path_, text: str) -> dict[str, str]:
        """Make the reference to a file."""
        joined = self.join_all or "http_config" in path
        return {"$file": str(self.folder / text) if joined and not Path(text).is_absolute() else text}


def read_settings(
    node: Node,
    model: type[BaseModel],
    shop: Workshop,
    *,
    name: str,
    where: str,
    global_: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Validate a mapping against a model.

    Args:
        node: the mapping; null is an empty one.
        model: the schema; a ``Settings`` is filled up from ``global_``.
        shop: where problems and secrets go.
        name: the prefix of its secrets' names, such as ``slack/team-a/0``: the channel first, because each channel's
            function may read only what is its own.
        where: names the mapping in sentences, such as ``slack_configs``.
        global_: the ``global:`` section.

    Returns:
        Every field, defaults included, as JSON; None when problems were noted.
    """
    if not node.is_mapping and not node.is_null:
        shop.findings.error(node, f"{where} must be a mapping of keys to values, not {node.describe()}")
        return None
    before = len(shop.findings.errors)
    plain = {} if node.is_null else to_plain(node, shop.findings)
    plain = _Replacer(node, name, shop).model(model, plain, ())
    if issubclass(model, Settings) and global_ is not None:
        plain = shop.adopt(model.with_globals(plain, global_), name.partition("/")[0])
    try:
        settings = model.model_validate(plain)
    except ValidationError as error:
        _place(error, node, model, where, shop.findings)
        return None
    dumped = settings.model_dump(mode="json", by_alias=True)
    _check_templates(Annotated[model, None], dumped, node, (), shop)
    return dumped if len(shop.findings.errors) == before else None


class _Replacer:
    """Walks a mapping beside its model and puts references where the model says that there are secrets or files."""

    def __init__(self, node: Node, name: str, shop: Workshop) -> None:
        self._node, self._name, self._shop = node, name, shop

    def model(self, model: type[BaseModel], value: Mapping[str, Any], path: Path_) -> dict[str, Any]:
        read = dict(value)
        for field_name, info in model.model_fields.items():
            key = info.alias or field_name
            if _marker(info) is not None:
                self._field(model, key, info, read, path)
            elif key in read:
                read[key] = self._value(_annotation(info), read[key], (*path, key))
        return read

    def _field(self, model: type[BaseModel], key: str, info: FieldInfo, read: dict[str, Any], path: Path_) -> None:
        """Fold ``key`` and ``key_file`` into one reference."""
        sibling = f"{key}_file"
        if sibling in model.model_fields or not isinstance(read.get(sibling, ""), str):
            sibling = ""
        file = read.pop(sibling, "")
        if read.get(key) == "":
            del read[key]
        if file and key in read:
            self._error((*path, sibling), f"at most one of {key} & {sibling} must be configured: remove one of them")
        if file:
            read[key] = self._shop.file((*path, sibling), file)
        elif key in read:
            read[key] = self._value(_annotation(info), read[key], (*path, key))

    def _value(self, kind: Any, value: Any, path: Path_) -> Any:  # noqa: ANN401 (plain YAML)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            marks = [mark for mark in arguments[1:] if isinstance(mark, (Secret, FromFile))]
            return self._marked(marks[0], value, path) if marks else self._value(arguments[0], value, path)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if isinstance(value, dict):
                return self.model(kind, value, path)
            self._error(path, f"{'.'.join(map(str, path))} must be a mapping of keys to values")
            return None
        if origin is list and isinstance(value, list):
            return [self._value(arguments[0], each, (*path, place)) for place, each in enumerate(value)]
        if origin is dict and isinstance(value, dict):
            return {key: self._value(arguments[1], each, (*path, key)) for key, each in value.items()}
        if origin not in {list, dict, None}:
            for argument in arguments:  # a union: whatever fits the value's shape changes it
                value = self._value(argument, value, path)
        return value

    def _marked(self, mark: Secret | FromFile, value: Any, path: Path_) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            return value  # the model says what is wrong with it
        if isinstance(mark, FromFile):
            return self._shop.file(path, value) if mark.path else value
        if mark.url and not (mark.template and "{{" in value):
            try:
                check_url(value)
            except ValueError as error:
                self._error(path, f"{path[-1]}: {error}")
        if mark.template and "{{" in value:
            _check_template(value, self._node, path, self._shop)
        return self._shop.keep_secret("/".join((self._name, *map(str, path))), str(value))

    def _error(self, path: Path_, message: str) -> None:
        self._shop.findings.error(locate(self._node, path, self._shop.findings), message)


def _annotation(info: FieldInfo) -> Any:  # noqa: ANN401 (a type)
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _marker(info: FieldInfo) -> Secret | FromFile | None:
    """Find the mark of a field that is itself a secret or a file's text, optional or not."""
    found = [mark for mark in info.metadata if isinstance(mark, (Secret, FromFile))]
    if get_origin(info.annotation) not in {list, dict}:
        for argument in get_args(info.annotation):
            if get_origin(argument) is Annotated:
                found += [mark for mark in get_args(argument)[1:] if isinstance(mark, (Secret, FromFile))]
    return found[0] if found else None


def _check_templates(kind: Any, value: Any, node: Node, path: Path_, shop: Workshop) -> None:  # noqa: ANN401
    """Parse every text that the model marks as a template."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        marks = [mark for mark in arguments[1:] if isinstance(mark, Template)]
        if marks:
            _check_texts(value, node, path, shop)
        else:
            _check_templates(arguments[0], value, node, path, shop)
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        for name, info in kind.model_fields.items():
            key = info.serialization_alias or info.alias or name
            if key in value:
                _check_templates(_annotation(info), value[key], node, (*path, key), shop)
    elif origin is list and isinstance(value, list):
        for place, each in enumerate(value):
            _check_templates(arguments[0], each, node, (*path, place), shop)
    elif origin is dict and isinstance(value, dict):
        for key, each in value.items():
            _check_templates(arguments[1], each, node, (*path, key), shop)
    elif origin not in {list, dict, None}:
        for argument in arguments:
            _check_templates(argument, value, node, path, shop)


def _check_texts(value: Any, node: Node, path: Path_, shop: Workshop) -> None:  # noqa: ANN401
    """Parse a template, or every text within a structure that is one as a whole."""
    if isinstance(value, str):
        _check_template(value, node, path, shop)
    elif isinstance(value, (list, dict)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            _check_texts(each, node, (*path, key), shop)


def _check_template(text: str, node: Node, path: Path_, shop: Workshop) -> None:
    if "{{" not in text:
        return
    try:
        shop.check_template(text)
    except TemplateError as error:
        for problem in error.problems:
            place = f" (line {problem.line}, column {problem.column} of the template)" if problem.line else ""
            sentence = f"{'.'.join(map(str, path))}: {problem.message}{place}"
            shop.findings.error(locate(node, path, shop.findings), sentence)


def _place(error: ValidationError, node: Node, model: type[BaseModel], where: str, findings: Findings) -> None:
    """Turn pydantic's findings into sentences with a line and a column."""
    for found in error.errors(include_url=False, include_input=False):
        path, kind = found["loc"], found["type"]
        place = locate(node, path, findings)
        name = ".".join(map(str, path))
        if kind == "extra_forbidden":
            *above, key = path
            known = _keys(model, tuple(above))
            findings.error(place, unknown_key(str(key), known, ".".join((where, *map(str, above)))))
        elif kind == "missing":
            findings.error(place, f'"{name}" is missing in {where}: set it')
        elif kind == "value_error":
            sentence = str(found["ctx"]["error"])
            findings.error(place, f"{name}: {sentence}" if name else sentence)
        elif kind in {"string_type", "dict_type", "list_type", "model_type"}:
            wanted = {"string_type": _NO_TEXT, "list_type": "must be a list"}.get(kind, "must be a mapping")
            findings.error(place, f"{name} {wanted}, not {place.describe()}")
        else:
            findings.error(place, f"{name}: {found['msg'].replace('Input should be', 'must be')}")


def _keys(model: type[BaseModel], path: Path_) -> list[str]:
    """List the keys that a (nested) model knows, siblings that are files included."""
    kind: Any = model
    for step in path:
        info = kind.model_fields.get(str(step)) if _is_model(kind) else None
        if info is None and not isinstance(step, int) and _is_model(kind):
            info = next((each for each in kind.model_fields.values() if each.alias == step), None)
        inner = _models_in(info.annotation) if info is not None else []
        kind = inner[0] if inner else kind
    keys = []
    for name, info in kind.model_fields.items():
        keys.append(info.alias or name)
        if _marker(info) is not None:
            keys.append(f"{keys[-1]}_file")
    return keys


def _is_model(kind: Any) -> bool:  # noqa: ANN401 (a type)
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _models_in(kind: Any) -> list[Any]:  # noqa: ANN401 (a type)
    if _is_model(kind):
        return [kind]
    return [model for argument in get_args(kind) for model in _models_in(argument)]
