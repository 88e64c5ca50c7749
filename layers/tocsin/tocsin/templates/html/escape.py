"""Rewriting a template so that every value is escaped by the context it stands in.

An included template is rewritten anew for each context it is included in. Source: the behaviour of
https://pkg.go.dev/html/template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tocsin.templates.execute import ExecutionError
from tocsin.templates.html import context as at
from tocsin.templates.html.context import Context, join, nudge
from tocsin.templates.html.scripts import ContextError
from tocsin.templates.html.transitions import advance
from tocsin.templates.nodes import Action, Body, Branch, Call, Command, Include, Leave, Node, Pipe, Template, Text

_STYLE_TEXTS = frozenset({at.CSS_DOUBLE, at.CSS_SINGLE})
_URLS = frozenset({at.URL, at.CSS_DOUBLE_URL, at.CSS_SINGLE_URL, at.CSS_URL}) | _STYLE_TEXTS
_SIMPLE = {
    at.JS: "js value",
    at.JS_DOUBLE: "js string",
    at.JS_SINGLE: "js string",
    at.JS_TEMPLATE: "js template",
    at.JS_REGEXP: "js regexp",
    at.CSS: "css value",
    at.TEXT: "html text",
    at.RCDATA: "rcdata",
    at.ATTR_NAME: "name",
    at.SRCSET: "srcset",
}
# A function at the end of a pipeline that does what the context asks for takes the place of the context's escaper.
_PREDEFINED = {
    "html": frozenset({"attribute", "html text", "rcdata"}),
    "urlquery": frozenset({"url escape", "url normalize"}),
}
# The second has nothing left to do behind the first.
_REDUNDANT = frozenset(
    {
        ("comment", "attribute"), ("comment", "html text"), ("css string", "attribute"), ("js regexp", "attribute"),
        ("js string", "attribute"), ("js template", "attribute"), ("url escape", "url normalize"),
    }
)  # fmt: skip
_SCRIPT_TAG = re.compile(r"<(/?script|!--)", re.IGNORECASE)
JOIN_ARGUMENTS = "_eval_args_"  # the function that stands for a predefined escaper called with arguments


@dataclass(slots=True)
class _Loop:
    """The contexts in which a range is left or begun anew."""

    leaves: list[tuple[Context, Leave]] = field(default_factory=list)


class Escaper:
    """Rewrites templates of one set, and remembers what it has rewritten."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        """Take all templates by name."""
        self._templates = templates
        self._reached: dict[str, Context] = {}
        self._called: set[str] = set()
        self._template: Template
        self._loops: list[_Loop] = []
        self.rewritten: dict[str, Template] = {}

    def escape(self, template: Template) -> Template:
        """Return the rewritten template; what it includes is added to `rewritten`.

        Raises:
            ExecutionError: some value stands where it cannot be escaped safely.
        """
        self._template, self._loops = template, []
        known = dict(self._reached), dict(self.rewritten), set(self._called)
        try:
            context, body = self._body(Context(), template.body)
        except ExecutionError:
            # What was begun is not to be taken for done the next time.
            self._reached, self.rewritten, self._called = known
            raise
        if context.state not in {at.TEXT, at.DEAD}:
            raise ExecutionError(f"ends in a non-text context: {context}", template, 0)
        return replace(template, body=body)

    def _error(self, message: str, node: Node) -> ExecutionError:
        return ExecutionError(message, self._template, node.pos)

    def _body(self, context: Context, body: Body) -> tuple[Context, Body]:
        nodes: list[Node] = []
        for node in body.nodes:
            context, rewritten = self._node(context, node)
            nodes.append(rewritten)
            if context.state == at.DEAD:
                break
        return context, Body(nodes)

    def _node(self, context: Context, node: Node) -> tuple[Context, Node]:
        if isinstance(node, Text):
            return self._text(context, node)
        if isinstance(node, Action):
            return self._action(context, node)
        if isinstance(node, Branch):
            return self._branch(context, node)
        if isinstance(node, Include):
            return self._include(context, node)
        self._loops[-1].leaves.append((context, node))
        return replace(context, state=at.DEAD), node

    # Text

    def _text(self, context: Context, node: Text) -> tuple[Context, Text]:
        """Move the context over a text; comments are dropped and stray ``<`` escaped on the way."""
        text, parts = node.text, []
        while text:
            try:
                reached, count = advance(context, text)
            except ContextError as error:
                raise self._error(str(error), node) from error
            parts.append(_kept(context, reached, text[:count]))
            context, text = reached, text[count:]
        return context, Text(node.pos, "".join(parts))

    # Actions

    def _action(self, context: Context, node: Action) -> tuple[Context, Action]:
        if node.pipe.variables:
            return context, node
        context = nudge(context)
        self._refuse_predefined(context, node)
        escapers = self._escapers(context, node)
        if context.state == at.JS:
            context = replace(context, slash=at.SLASH_DIVISION)
        elif context.state == at.TAG:
            context = replace(context, state=at.ATTR_NAME)
        return context, Action(node.pos, _with_escapers(node.pipe, escapers))

    def _refuse_predefined(self, context: Context, node: Action) -> None:
        for position, command in enumerate(node.pipe.commands, 1):
            first = command.args[0]
            if not isinstance(first, Call) or first.name not in _PREDEFINED:
                continue
            unquoted = context.state == at.ATTR and context.delimiter == at.SPACE and first.name == "html"
            if position < len(node.pipe.commands) or unquoted:
                raise self._error(f'predefined escaper "{first.name}" disallowed in template', node)

    def _escapers(self, context: Context, node: Action) -> list[str]:
        state = context.state
        names: list[str] = []
        if state in _URLS:
            if context.url_part == at.URL_UNKNOWN:
                raise self._error("a value stands in an ambiguous context within a URL", node)
            if context.url_part == at.URL_QUERY:
                names.append("url escape")
            else:
                names += ["url filter"] if context.url_part == at.URL_START else []
                names.append("css string" if state in _STYLE_TEXTS else "url normalize")
        elif state in at.COMMENTS:
            names.append("comment")
        elif state in _SIMPLE:
            names.append(_SIMPLE[state])
        if context.delimiter == at.SPACE:
            names.append("unquoted")
        elif context.delimiter != at.NO_DELIMITER:
            names.append("attribute")
        return names

    # Branches

    def _branch(self, context: Context, node: Branch) -> tuple[Context, Branch]:
        if node.word == "range":
            reached, body = self._loop(context, node)
        else:
            reached, body = self._body(context, node.body)
        if node.otherwise is None:
            behind, otherwise = context, None
        else:
            behind, otherwise = self._body(context, node.otherwise)
        joined = self._join(reached, behind, node, f"{{{{{node.word}}}}} branches end in different contexts")
        return joined, Branch(node.pos, node.word, node.pipe, body, otherwise)

    def _loop(self, context: Context, node: Branch) -> tuple[Context, Body]:
        """Rewrite a range's body, and see that a second round would begin where the first did."""
        reached, body = self._round(context, node)
        again, _ = self._round(reached, node)
        return self._join(reached, again, node, "on range loop re-entry: the context differs"), body

    def _round(self, context: Context, node: Branch) -> tuple[Context, Body]:
        self._loops.append(_Loop())
        reached, body = self._body(context, node.body)
        for left, leave in self._loops.pop().leaves:
            reached = self._join(reached, left, leave, f"at range loop {leave.word}: the context differs")
        return reached, body

    def _join(self, one: Context, other: Context, node: Node, message: str) -> Context:
        joined = join(one, other)
        if joined is None:
            raise self._error(f"{message}: {one}; {other}", node)
        return joined

    # Included templates

    def _include(self, context: Context, node: Include) -> tuple[Context, Include]:
        name = node.name if context == Context() else f"{node.name}$html{context!r}"
        self._called.add(name)
        if name not in self._reached:
            template = self._templates.get(node.name)
            if template is None:
                raise self._error(f'no such template "{node.name}"', node)
            self._derive(name, template, context)
        return self._reached[name], Include(node.pos, name, node.pipe, node.written)

    def _derive(self, name: str, template: Template, context: Context) -> None:
        """Rewrite an included template for a context; one that includes itself is tried with a guess of its end."""
        outer, self._template = self._template, template
        loops, self._loops = self._loops, []
        guess = context
        for _ in range(2):
            known = dict(self._reached), dict(self.rewritten), set(self._called)
            self._reached[name] = guess
            self._called.discard(name)
            reached, body = self._body(context, template.body)
            if name not in self._called or reached == guess:
                break
            self._reached, self.rewritten, self._called = known
            guess = reached
        else:
            raise ExecutionError(f"cannot compute output context for template {template.name}", template, 0)
        self._reached[name] = reached
        self.rewritten[name] = replace(template, body=body)
        self._called.add(name)
        self._template, self._loops = outer, loops


def _kept(context: Context, reached: Context, text: str) -> str:
    """Return what is written of a text that leads from one context to another."""
    if context.state in {at.TEXT, at.RCDATA}:
        end = len(text) if reached.state == context.state else text.rfind("<")
        end = len(text) if end < 0 else end
        kept = _stray(text[:end]) + text[end:]
    elif context.state in at.COMMENTS and context.delimiter == at.NO_DELIMITER:
        return _of_comment(context.state, text)
    elif context.state in at.SCRIPT_LITERALS:
        kept = _SCRIPT_TAG.sub(r"\\x3C\1", text)  # a browser would end or begin a script there
    else:
        kept = text
    if reached.state in at.COMMENTS and reached.state != context.state and reached.delimiter == at.NO_DELIMITER:
        # The comment's opening is dropped too.
        lengths = {at.HTML_COMMENT: 4, at.JS_OPEN_COMMENT: 4, at.JS_CLOSE_COMMENT: 3}
        return kept[: len(kept) - lengths.get(reached.state, 2)]
    return kept


def _stray(text: str) -> str:
    """Escape every ``<`` that begins no tag; ``<!DOCTYPE`` stays."""
    first, *rest = text.split("<")
    return first + "".join(("<" if part[:8].upper() == "!DOCTYPE" else "&lt;") + part for part in rest)


def _of_comment(state: str, text: str) -> str:
    if state == at.JS_BLOCK_COMMENT:
        return "\n" if any(char in text for char in "\n\r\u2028\u2029") else " "
    return " " if state == at.CSS_BLOCK_COMMENT else ""


def _with_escapers(pipe: Pipe, escapers: list[str]) -> Pipe:
    """Append escapers to a pipeline, merged with a predefined one at its end."""
    commands = pipe.commands
    last = commands[-1]
    first = last.args[0]
    names = list(escapers)
    if isinstance(first, Call) and first.name in _PREDEFINED:
        same = _PREDEFINED[first.name]
        called_with_arguments = len(commands) == 1 and len(last.args) > 1
        if any(name in same for name in names):
            names = [first.name if name in same else name for name in names]
            if called_with_arguments:
                joining = Command(last.pos, (Call(first.pos, JOIN_ARGUMENTS), *last.args[1:]))
                commands = (joining,)
            elif len(commands) > 1:
                commands = commands[:-1]
    kept: list[str] = []
    for name in names:
        if name in kept or (kept and (kept[-1], name) in _REDUNDANT):
            continue
        kept.append(name)
    return replace(pipe, commands=commands, escapers=tuple(kept))
