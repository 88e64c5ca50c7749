"""A set of templates: the defaults, the users' own, and every string of the config that is rendered with them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from tocsin.errors import Problem, TemplateError
from tocsin.model import Instant
from tocsin.templates.builtins import joined
from tocsin.templates.datavalues import Data
from tocsin.templates.execute import Escapers, Execution, ExecutionError
from tocsin.templates.functions import FUNCTIONS, clocked
from tocsin.templates.html.escape import JOIN_ARGUMENTS, Escaper
from tocsin.templates.html.escapers import ESCAPERS
from tocsin.templates.lexer import TemplateSyntaxError
from tocsin.templates.nodes import Body, Branch, Include, Source, Template
from tocsin.templates.parser import parse
from tocsin.templates.values import ANY, STRING, Failure, Function, Value

_CACHED = 1024  # compiled strings a set keeps; a config has a few dozen
_DEFAULTS = ("default.tmpl", "email.tmpl")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MISTAKES = 20  # template problems told at once


@dataclass(frozen=True, slots=True)
class _Program:
    """A compiled string: its body, and all templates as it sees them."""

    main: Template
    templates: Mapping[str, Template]


@lru_cache(maxsize=1)
def _defaults() -> Mapping[str, Template]:
    known: dict[str, Template] = {}
    for name in _DEFAULTS:
        text = files("tocsin.templates").joinpath("defaults", name).read_text(encoding="utf-8")
        _define(known, Source(text, name))
    return known


def _define(known: dict[str, Template], source: Source) -> Template:
    """Add a text's definitions to what is known; a blank one does not replace another. Return the text's own body."""
    *defined, main = parse(source, FUNCTIONS)
    for template in defined:
        if not template.body.is_blank() or template.name not in known:
            known[template.name] = template
    return main


class TemplateSet:
    """All templates of one config; immutable, and safe to share between threads."""

    def __init__(self, sources: Sequence[str] = (), names: Sequence[str] = ()) -> None:
        """Parse the defaults and then ``sources``, the texts of template files; later definitions override earlier.

        Args:
            sources: the texts.
            names: their file names, for messages; without them they are called ``template text 1`` and so on.

        Raises:
            TemplateError: every text that does not parse, with line and column.
        """
        known = dict(_defaults())
        problems = []
        for number, text in enumerate(sources):
            name = names[number] if number < len(names) else f"template text {number + 1}"
            try:
                main = _define(known, Source(text, name))
            except TemplateSyntaxError as error:
                problems.append(_problem(error.message, error.source, error.position))
                continue
            if number < len(names):
                known.setdefault(name.rpartition("/")[2], main)
        if problems:
            raise TemplateError(*problems)
        self._templates: Mapping[str, Template] = known
        self._text: dict[str, _Program] = {}
        self._html: dict[str, _Program] = {}
        self._escaper = Escaper(known)
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        """Whether a template of this name is defined."""
        return name in self._templates

    def text(self, template: str, data: Value, now: Instant) -> str:
        """Render a string of the config as text.

        Args:
            template: the string, with or without actions.
            data: the dot; normally a `Data`.
            now: nanoseconds since the epoch, what ``now`` and ``since`` answer by.

        Raises:
            TemplateError: it does not parse or cannot be executed; the sentence names template and place.
        """
        if "{{" not in template:
            return template
        return _Rendering(self._compile, {}, data, now).render(template)

    def html(self, template: str, data: Value, now: Instant) -> str:
        """Render a string of the config as HTML: every value is escaped by where it stands.

        Args:
            template: the string, with or without actions.
            data: the dot; normally a `Data`.
            now: nanoseconds since the epoch, what ``now`` and ``since`` answer by.

        Raises:
            TemplateError: it does not parse, cannot be escaped safely, or cannot be executed.
        """
        return _Rendering(self._compile_html, ESCAPERS, data, now).render(template)

    def check(self, template: str, *, html: bool = False) -> None:
        """Parse a string without rendering it; with ``html`` also see that its values can be escaped.

        Raises:
            TemplateError: it does not parse, or includes a template that is not defined.
        """
        program = self._compile(template)
        problems = [
            _problem(f"template {include.written!r} is not defined", place.source, include.pos)
            for place, include in _undefined(program)
        ]
        if problems:
            raise TemplateError(*problems[:_MISTAKES])
        if html:
            self._compile_html(template)

    def _compile(self, template: str) -> _Program:
        program = self._text.get(template)
        if program is None:
            source = Source(template)
            try:
                *defined, main = parse(source, FUNCTIONS)
            except TemplateSyntaxError as error:
                raise TemplateError(_problem(error.message, error.source, error.position)) from error
            own = {d.name: d for d in defined if not d.body.is_blank() or d.name not in self._templates}
            program = _Program(main, {**self._templates, **own} if own else self._templates)
            _remember(self._text, template, program)
        return program

    def _compile_html(self, template: str) -> _Program:
        program = self._html.get(template)
        if program is None:
            plain = self._compile(template)
            with self._lock:
                # What the set's own templates were rewritten to is kept, unless this string has its own definitions.
                escaper = self._escaper if plain.templates is self._templates else Escaper(plain.templates)
                try:
                    main = escaper.escape(plain.main)
                except ExecutionError as error:
                    raise _cannot(error) from error
            program = _Program(main, escaper.rewritten)
            _remember(self._html, template, program)
        return program


class _Rendering:
    """One rendering, and the route labels it asks for: templates too, each rendered once; a cycle is an error."""

    def __init__(self, compiled: Callable[[str], _Program], escapers: Escapers, data: Value, now: Instant) -> None:
        self._compiled = compiled
        self._escapers = escapers
        self._data = data
        self._raw: Mapping[str, str] = data.route_labels if isinstance(data, Data) else {}
        self._done: dict[str, str] = {}
        self._under_way: list[str] = []
        own = {"routeLabels": Function((STRING,), self._label), JOIN_ARGUMENTS: Function((), _join_arguments, ANY)}
        self._functions = {**FUNCTIONS, **clocked(now), **own}

    def render(self, template: str) -> str:
        program = self._compiled(template)
        try:
            rendered = Execution(program.templates, self._functions, self._escapers).run(program.main, self._data)
        except ExecutionError as error:
            raise _cannot(error) from error
        return rendered if rendered.isascii() else _SURROGATE.sub("\ufffd", rendered)

    def _label(self, name: str) -> str:
        if name in self._under_way:
            cycle = " -> ".join([*self._under_way, name])
            raise Failure(f"route label cycle detected: {cycle}")
        if name not in self._done:
            self._under_way.append(name)
            try:
                self._done[name] = self.render(self._raw.get(name, ""))
            except TemplateError as error:
                raise Failure(f"route label {name!r}: {error}") from error
            finally:
                self._under_way.pop()
        return self._done[name]


def _join_arguments(*values: Value) -> str:
    return joined(values)


def _remember(cache: dict[str, _Program], template: str, program: _Program) -> None:
    if len(cache) >= _CACHED:
        cache.clear()
    cache[template] = program


def _cannot(error: ExecutionError) -> TemplateError:
    name = error.template.name
    where = f"template {name!r}" if name else "the template"
    return TemplateError(
        _problem(f"{where} cannot be rendered: {error.message}", error.template.source, error.position)
    )


def _problem(message: str, source: Source, position: int) -> Problem:
    line, column = source.place(position)
    return Problem(message, source.name, line, column)


def _undefined(program: _Program) -> Iterator[tuple[Template, Include]]:
    """Find every include, here and in what is included, that leads nowhere."""
    seen: set[str] = set()
    queue = [program.main]
    while queue:
        template = queue.pop()
        for include in _includes(template.body):
            target = program.templates.get(include.name)
            if target is None:
                yield template, include
            elif include.name not in seen:
                seen.add(include.name)
                queue.append(target)


def _includes(body: Body) -> Iterator[Include]:
    for node in body.nodes:
        if isinstance(node, Include):
            yield node
        elif isinstance(node, Branch):
            yield from _includes(node.body)
            if node.otherwise is not None:
                yield from _includes(node.otherwise)
