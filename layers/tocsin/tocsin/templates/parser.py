"""From tokens to trees: every ``define`` of a text and the text itself.

Source: https://pkg.go.dev/text/template and the behaviour of Go's ``text/template/parse``.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NoReturn

from tocsin.templates.lexer import TemplateSyntaxError, Token, tokens
from tocsin.templates.literals import number, unquote
from tocsin.templates.nodes import (
    Action,
    Body,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Fields,
    Include,
    Leave,
    Literal,
    Nil,
    Operand,
    Pipe,
    Source,
    Template,
    Text,
    Variable,
)

MAX_NESTING = 60  # of parentheses and blocks; each level costs the interpreter's stack a few frames
_PARAMETERS = 2  # range $index, $element
_CONSTANTS = {"true": True, "false": False}
_OPERANDS = frozenset({"word", "dot", "variable", "field", "number", "string", "raw", "char"})


def parse(source: Source, functions: Container[str]) -> list[Template]:
    """Parse a text; the last of the result is the text's own body, named ``""``.

    Raises:
        TemplateSyntaxError: what is wrong and where; an unknown function is wrong.
    """
    return _Parser(source, functions).parse()


class _Parser:
    """One run over one text."""

    def __init__(self, source: Source, functions: Container[str]) -> None:
        self.source = source
        self.functions = functions
        self.tokens = list(tokens(source))
        self.next = 0
        self.variables = ["$"]
        self.loops = 0
        self.nesting = 0
        self.templates: dict[str, Template] = {}

    def parse(self) -> list[Template]:
        body, ending = self._body()
        if ending.kind != "end":
            self._fail(f"unexpected {{{{{ending.text}}}}}: nothing is open here", ending)
        return [*self.templates.values(), Template("", body, self.source)]

    # Tokens

    def _fail(self, message: str, token: Token) -> NoReturn:
        raise TemplateSyntaxError(message, self.source, token.pos)

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _take(self) -> Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def _skip_space(self) -> Token:
        while self.tokens[self.next].kind == "space":
            self.next += 1
        return self.tokens[self.next]

    def _take_right(self, context: str) -> None:
        token = self._skip_space()
        if token.kind != "right":
            self._fail(f"unexpected {token.text!r} in {context}", token)
        self.next += 1

    # Bodies

    def _body(self, top: bool = True) -> tuple[Body, Token]:
        """Read up to ``end``, ``else`` or the end of the text, and return that token too."""
        body = Body()
        while True:
            token = self._take()
            if token.kind == "end":
                return body, token
            if token.kind == "text":
                body.nodes.append(Text(token.pos, token.text))
                continue
            word = self._skip_space()
            if word.kind != "keyword":
                body.nodes.append(Action(word.pos, self._pipe("right", "command")))
                continue
            self.next += 1
            if word.text in {"end", "else"}:
                return body, word
            self._keyword(word, body, top=top)

    def _keyword(self, word: Token, body: Body, *, top: bool) -> None:
        if word.text == "define":
            if not top:
                self._fail("a define cannot stand within another block", word)
            self._define(word)
        elif word.text == "template":
            body.nodes.append(self._include(word))
        elif word.text == "block":
            body.nodes.append(self._block(word))
        elif word.text in {"break", "continue"}:
            if not self.loops:
                self._fail(f"{{{{{word.text}}}}} outside {{{{range}}}}", word)
            self._take_right(f"{{{{{word.text}}}}}")
            body.nodes.append(Leave(word.pos, word.text))
        else:
            body.nodes.append(self._branch(word))

    def _inner(self, opener: Token) -> tuple[Body, Token]:
        """Read a block's body within its own scope of variables."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self._fail(f"blocks are nested deeper than {MAX_NESTING} levels", opener)
        body, ending = self._body(top=False)
        self.nesting -= 1
        if ending.kind == "end":
            self._fail(f"{{{{{opener.text}}}}} is never closed: its {{{{end}}}} is missing", opener)
        return body, ending

    def _branch(self, word: Token) -> Branch:
        known = len(self.variables)
        pipe = self._pipe("right", word.text)
        self.loops += word.text == "range"
        body, ending = self._inner(word)
        self.loops -= word.text == "range"
        otherwise = None
        if ending.text == "else":
            otherwise = self._otherwise(word)
        else:
            self._take_right("end")
        del self.variables[known:]
        return Branch(word.pos, word.text, pipe, body, otherwise)

    def _otherwise(self, word: Token) -> Body:
        """Read what follows ``else``: another ``if`` or ``with``, or a body of its own."""
        token = self._skip_space()
        if token.kind == "keyword" and token.text == word.text and word.text in {"if", "with"}:
            self.next += 1
            self.nesting += 1
            if self.nesting > MAX_NESTING:
                self._fail(f"blocks are nested deeper than {MAX_NESTING} levels", token)
            branch = self._branch(token)
            self.nesting -= 1
            return Body([branch])
        if token.kind == "keyword":
            self._fail(f"unexpected <{token.text}> in else", token)
        self._take_right("else")
        body, ending = self._inner(word)
        if ending.text != "end":
            self._fail("expected end; found {{else}}", ending)
        self._take_right("end")
        return body

    # Definitions

    def _name(self, context: str) -> Token:
        token = self._skip_space()
        if token.kind not in {"string", "raw"}:
            self._fail(f"unexpected {token.text!r} in {context}: the name must be quoted", token)
        self.next += 1
        return token

    def _define(self, word: Token) -> None:
        name = self._unquoted(self._name("define clause"))
        self._take_right("define clause")
        self._add(name, self._definition(word), word)

    def _block(self, word: Token) -> Include:
        name = self._unquoted(self._name("block clause"))
        pipe = self._pipe("right", "block clause")
        self._add(name, self._definition(word), word)
        return Include(word.pos, name, pipe, name)

    def _definition(self, word: Token) -> Body:
        """Read a body that sees no variables but ``$``, and is in no loop."""
        kept, self.variables, loops, self.loops = self.variables, ["$"], self.loops, 0
        body, ending = self._inner(word)
        if ending.text != "end":
            self._fail(f"unexpected {{{{else}}}} in {word.text} clause", ending)
        self._take_right("end")
        self.variables, self.loops = kept, loops
        return body

    def _add(self, name: str, body: Body, word: Token) -> None:
        known = self.templates.get(name)
        if known is not None and not known.body.is_blank():
            if body.is_blank():
                return
            self._fail(f"template: multiple definition of template {name!r} in one text", word)
        self.templates[name] = Template(name, body, self.source)

    def _include(self, word: Token) -> Include:
        name = self._unquoted(self._name("template clause"))
        if self._skip_space().kind == "right":
            self.next += 1
            return Include(word.pos, name, None, name)
        return Include(word.pos, name, self._pipe("right", "template clause"), name)

    # Pipelines

    def _pipe(self, end: str, context: str) -> Pipe:
        first = self._skip_space()
        variables, assigns = self._variables(context)
        commands: list[Command] = []
        while True:
            token = self._skip_space()
            if token.kind == end or (end == ")" and token.text == ")"):
                self.next += 1
                break
            if token.kind not in _OPERANDS and token.text != "(":
                self._unexpected(token, context)
            commands.append(self._command())
        if not commands:
            self._fail(f"missing value for {context}", first)
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], (Dot, Nil, Literal)):
                raise TemplateSyntaxError(f"non executable command in pipeline stage {stage}", self.source, command.pos)
        return Pipe(first.pos, tuple(commands), variables, assigns)

    def _unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind == "end":
            self._fail(f"unexpected end of the text in {context}", token)
        self._fail(f"unexpected {token.text!r} in {context}", token)

    def _variables(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Read ``$x :=``, ``$x =`` or range's ``$i, $e :=``; nothing is read where none of them stands."""
        start, found = self.next, []
        while self._skip_space().kind == "variable":
            token = self._take()
            mark = self._skip_space()
            if mark.kind == "declare" or mark.text == "=":
                self.next += 1
                found.append(token.text)
                self.variables += found
                return tuple(found), mark.text == "="
            if mark.text != ",":
                break
            found.append(token.text)
            if context != "range" or len(found) == _PARAMETERS:
                self._fail(f"too many declarations in {context}", token)
            self.next += 1
            if self._skip_space().kind not in {"variable", "right"}:
                self._fail("range can only initialize variables", self._peek())
        if found:
            if self._peek().kind == "right":
                self.variables += found
                return tuple(found), False
            self._fail("range can only initialize variables", self._peek())
        self.next = start
        return (), False

    def _command(self) -> Command:
        first = self._skip_space()
        args: list[Operand] = []
        while True:
            self._skip_space()
            operand = self._operand()
            if operand is not None:
                args.append(operand)
            token = self._peek()
            if token.kind == "space":
                continue
            if token.text == "|" and token.kind == "mark":
                self.next += 1
            elif token.kind != "right" and token.text != ")":
                self._unexpected(token, "operand")
            break
        if not args:
            self._fail("empty command", first)
        return Command(first.pos, tuple(args))

    def _operand(self) -> Operand | None:
        start = self._peek()
        term = self._term()
        if term is None or self._peek().kind != "field":
            return term
        fields = []
        while self._peek().kind == "field":
            fields.append(self._take().text[1:])
        if isinstance(term, Fields):
            return Fields(term.pos, (*term.names, *fields))
        if isinstance(term, Variable):
            return Variable(term.pos, term.name, (*term.fields, *fields))
        if isinstance(term, (Literal, Nil, Dot)):
            self._fail(f"unexpected . after term {start.text!r}", start)
        return Chain(start.pos, term, tuple(fields))

    def _term(self) -> Operand | None:
        token = self._peek()
        if token.text == "(" and token.kind == "mark":
            return self._parentheses()
        if token.kind not in _OPERANDS:
            return None
        self.next += 1
        if token.kind == "word":
            return self._word(token)
        if token.kind == "dot":
            return Dot(token.pos)
        if token.kind == "field":
            return Fields(token.pos, (token.text[1:],))
        if token.kind == "variable":
            if token.text not in self.variables:
                self._fail(f"undefined variable {token.text!r}", token)
            return Variable(token.pos, token.text)
        return self._literal(token)

    def _parentheses(self) -> Operand:
        token = self._take()
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self._fail(f"parentheses are nested deeper than {MAX_NESTING} levels", token)
        pipe = self._pipe(")", "parenthesized pipeline")
        self.nesting -= 1
        return pipe

    def _word(self, token: Token) -> Operand:
        if token.text in _CONSTANTS:
            return Literal(token.pos, _CONSTANTS[token.text], token.text)
        if token.text == "nil":
            return Nil(token.pos)
        if token.text not in self.functions:
            self._fail(f"function {token.text!r} not defined", token)
        return Call(token.pos, token.text)

    def _literal(self, token: Token) -> Literal:
        try:
            if token.kind == "number":
                return Literal(token.pos, number(token.text), token.text)
            text = unquote(token.text)
        except (ValueError, OverflowError) as error:
            self._fail(f"{token.text} cannot be read: {error}", token)
        if token.kind != "char":
            return Literal(token.pos, text, token.text)
        if len(text) != 1:
            self._fail(f"malformed character constant: {token.text}", token)
        return Literal(token.pos, ord(text), token.text)

    def _unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            self._fail(f"{token.text} cannot be read: {error}", token)
