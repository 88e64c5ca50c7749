"""The interpreter: a parsed template, a dot, and out comes text.

The rules of evaluation are Go's (https://pkg.go.dev/text/template), option ``missingkey=zero``. Depth, steps and size
are bounded: what a config's author writes must not be able to stop the router.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tocsin.templates.builtins import missing
from tocsin.templates.gofmt import OUTPUT_LIMIT, show
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
    Literal,
    Nil,
    Node,
    Operand,
    Pipe,
    Template,
    Text,
    Variable,
    written,
)
from tocsin.templates.values import Failure, Function, GoType, Struct, Value, kind, methods_of, truth, type_name

MAX_DEPTH = 40  # of templates that include each other; Python's own stack ends before Go's 100,000
MAX_STEPS = 5_000_000  # nodes visited; 10,000 alerts with ten labels each need about a fifth
_PAIR = 2  # $index, $element

_Absent = object  # the type of ABSENT
ABSENT: Final[_Absent] = object()  # no value comes in from an earlier stage of the pipeline


class ExecutionError(Exception):
    """What went wrong while a template was executed, and where."""

    def __init__(self, message: str, template: Template, position: int) -> None:
        """Take a sentence, the template it happened in, and the offset in its source."""
        super().__init__(message)
        self.message = message
        self.template = template
        self.position = position


class _Break(Exception):  # noqa: N818 - control flow, as in Go's own interpreter
    pass


class _Continue(Exception):  # noqa: N818 - control flow
    pass


Escapers = Mapping[str, Callable[[Value], Value]]


class Execution:
    """One run of one template."""

    def __init__(
        self, templates: Mapping[str, Template], functions: Mapping[str, Function], escapers: Escapers | None = None
    ) -> None:
        """Take all templates that may be included, the functions, and html/template's escapers by name."""
        self._templates = templates
        self._functions = functions
        self._escapers = escapers or {}
        self._parts: list[str] = []
        self._size = 0
        self._steps = 0
        self._variables: list[list[Value]] = []
        self._template: Template
        self._depth = 0

    def run(self, template: Template, dot: Value) -> str:
        """Execute ``template`` and return what it wrote.

        Raises:
            ExecutionError: a sentence, and where.
        """
        self._template = template
        self._variables = [["$", dot]]
        try:
            self._walk(template.body, dot)
        except RecursionError as error:
            raise ExecutionError("the template nests too deeply", self._template, 0) from error
        return "".join(self._parts)

    def _error(self, message: str, position: int) -> ExecutionError:
        return ExecutionError(message, self._template, position)

    # Nodes

    def _walk(self, body: Body, dot: Value) -> None:
        for node in body.nodes:
            self._step(node)
            if isinstance(node, Text):
                self._write(node.text, node)
            elif isinstance(node, Action):
                value = self._pipe(node.pipe, dot)
                if not node.pipe.variables:
                    self._write(self._shown(value, node), node)
            elif isinstance(node, Branch):
                self._branch(node, dot)
            elif isinstance(node, Include):
                self._include(node, dot)
            else:
                raise _Break if node.word == "break" else _Continue

    def _step(self, node: Node) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise self._error(f"the template does not come to an end within {MAX_STEPS} steps", node.pos)

    def _write(self, text: str, node: Node) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > OUTPUT_LIMIT:
            raise self._error(f"the text grows beyond {OUTPUT_LIMIT} characters", node.pos)

    def _shown(self, value: Value, node: Action) -> str:
        if type(value) is str:
            return value
        try:
            return show(value)
        except Failure as failure:
            raise self._error(str(failure), node.pos) from failure

    def _branch(self, node: Branch, dot: Value) -> None:
        mark = len(self._variables)
        try:
            if node.word == "range":
                self._range(node, dot)
                return
            value = self._pipe(node.pipe, dot)
            if truth(value):
                self._walk(node.body, value if node.word == "with" else dot)
            elif node.otherwise is not None:
                self._walk(node.otherwise, dot)
        finally:
            del self._variables[mark:]

    def _range(self, node: Branch, dot: Value) -> None:
        value = self._pipe(node.pipe, dot)
        mark = len(self._variables)
        empty = True
        for index, element in self._iterate(node, value):
            empty = False
            self._step(node)
            self._bind(node.pipe, index, element)
            try:
                self._walk(node.body, element)
            except _Continue:
                pass
            except _Break:
                break
            finally:
                del self._variables[mark:]
        if empty and node.otherwise is not None:
            self._walk(node.otherwise, dot)

    def _iterate(self, node: Branch, value: Value) -> Iterator[tuple[Value, Value]]:
        shape = kind(value)
        if shape == "slice":
            return iter(enumerate(value))
        if shape == "map":
            return iter(sorted(value.items()))
        if shape == "invalid":
            return iter(())
        if shape in {"int", "uint"}:
            if len(node.pipe.variables) == _PAIR:
                raise self._error(f"can't use {int(value)} to iterate over more than one variable", node.pipe.pos)
            return ((number, number) for number in range(value))
        raise self._error(f"range can't iterate over {show(value)}", node.pipe.pos)

    def _bind(self, pipe: Pipe, index: Value, element: Value) -> None:
        """Give range's variables their values: the last is the element, the first of two the index."""
        if not pipe.variables:
            return
        names = pipe.variables
        values = (index, element) if len(names) == _PAIR else (element,)
        if pipe.assigns:
            for name, value in zip(names, values, strict=True):
                self._assign(name, value, pipe.pos)
        else:
            # The pipeline has declared the variables; each iteration sets them anew.
            for offset, value in enumerate(reversed(values), 1):
                self._variables[-offset][1] = value

    def _include(self, node: Include, dot: Value) -> None:
        template = self._templates.get(node.name)
        if template is None:
            raise self._error(f"template {node.written!r} is not defined", node.pos)
        if self._depth >= MAX_DEPTH:
            raise self._error(f"templates include each other more than {MAX_DEPTH} levels deep", node.pos)
        value = self._pipe(node.pipe, dot) if node.pipe is not None else None
        kept = self._template, self._variables
        self._template, self._variables = template, [["$", value]]
        self._depth += 1
        self._walk(template.body, value)
        self._depth -= 1
        self._template, self._variables = kept

    # Pipelines

    def _pipe(self, pipe: Pipe, dot: Value) -> Value:
        value: Value = ABSENT
        for command in pipe.commands:
            value = self._command(command, dot, value)
        for name in pipe.escapers:
            try:
                value = self._escapers[name](value)
            except Failure as failure:
                raise self._error(str(failure), pipe.pos) from failure
        if pipe.assigns:
            for name in pipe.variables:
                self._assign(name, value, pipe.pos)
        else:
            self._variables.extend([name, value] for name in pipe.variables)
        return value

    def _assign(self, name: str, value: Value, position: int) -> None:
        for variable in reversed(self._variables):
            if variable[0] == name:
                variable[1] = value
                return
        raise self._error(f"undefined variable: {name}", position)

    def _variable(self, node: Variable) -> Value:
        for variable in reversed(self._variables):
            if variable[0] == node.name:
                return variable[1]
        raise self._error(f"undefined variable: {node.name}", node.pos)

    def _command(self, command: Command, dot: Value, final: Value) -> Value:
        first = command.args[0]
        if isinstance(first, Fields):
            return self._chain(dot, first.names, first, dot, command.args, final)
        if isinstance(first, Call):
            return self._call_named(first, dot, command.args, final)
        if isinstance(first, Variable) and first.fields:
            return self._chain(self._variable(first), first.fields, first, dot, command.args, final)
        if isinstance(first, Chain):
            return self._chain(self._start(first, dot), first.fields, first, dot, command.args, final)
        if len(command.args) > 1 or final is not ABSENT:
            raise self._error(f"can't give argument to non-function {written(first)}", first.pos)
        if isinstance(first, Nil):
            raise self._error("nil is not a command", first.pos)
        return self._plain(first, dot)

    def _start(self, chain: Chain, dot: Value) -> Value:
        if isinstance(chain.start, Nil):
            raise self._error("indirection through explicit nil", chain.pos)
        return self._plain(chain.start, dot)

    def _plain(self, node: Operand, dot: Value) -> Value:
        """Evaluate an operand that stands without arguments."""
        if isinstance(node, Fields):
            return self._chain(dot, node.names, node, dot, (node,), ABSENT)
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Variable):
            value = self._variable(node)
            return self._chain(value, node.fields, node, dot, (node,), ABSENT) if node.fields else value
        if isinstance(node, Dot):
            return dot
        if isinstance(node, Pipe):
            return self._pipe(node, dot)
        if isinstance(node, Call):
            return self._call_named(node, dot, (node,), ABSENT)
        if isinstance(node, Chain):
            return self._chain(self._start(node, dot), node.fields, node, dot, (node,), ABSENT)
        return None

    def _chain(
        self, value: Value, names: tuple[str, ...], node: Operand, dot: Value, args: tuple[Operand, ...], final: Value
    ) -> Value:
        """Follow ``.A.B.C``; only the last may be a method that takes arguments."""
        for name in names[:-1]:
            value = self._field(value, name, node, dot, (node,), ABSENT)
        return self._field(value, names[-1], node, dot, args, final)

    def _field(
        self, value: Value, name: str, node: Operand, dot: Value, args: tuple[Operand, ...], final: Value
    ) -> Value:
        if value is None:
            return None
        method = methods_of(value).get(name)
        if method is not None:
            return self._call(name, method, node, dot, args, final, receiver=value)
        has_arguments = len(args) > 1 or final is not ABSENT
        if isinstance(value, Struct) and name in value.go_fields:
            if has_arguments:
                raise self._error(f"{name} has arguments but cannot be invoked as function", node.pos)
            return getattr(value, value.go_fields[name])
        if isinstance(value, dict):
            if has_arguments:
                raise self._error(f"{name} is not a method but has arguments", node.pos)
            return value[name] if name in value else missing(value)
        raise self._error(f"can't evaluate field {name} in type {type_name(value)}", node.pos)

    # Calls

    def _call_named(self, node: Call, dot: Value, args: tuple[Operand, ...], final: Value) -> Value:
        function = self._functions.get(node.name)
        if function is None:
            raise self._error(f"{node.name!r} is not a defined function", node.pos)
        if node.name in {"and", "or"}:
            return self._lazy(node, dot, args, final)
        return self._call(node.name, function, node, dot, args, final)

    def _lazy(self, node: Call, dot: Value, args: tuple[Operand, ...], final: Value) -> Value:
        """Evaluate ``and`` and ``or`` only as far as needed; the last value looked at is theirs."""
        if len(args) == 1 and final is ABSENT:
            raise self._error(f"wrong number of args for {node.name}: want at least 1 got 0", node.pos)
        value: Value = None
        for arg in args[1:]:
            value = self._plain(arg, dot)
            if truth(value) == (node.name == "or"):
                return value
        return value if final is ABSENT else final

    def _call(
        self,
        name: str,
        function: Function,
        node: Operand,
        dot: Value,
        args: tuple[Operand, ...],
        final: Value,
        *,
        receiver: Value = ABSENT,
    ) -> Value:
        params, variadic = function.params, function.variadic
        count = len(args) - 1 + (final is not ABSENT)
        if variadic is None and count != len(params):
            raise self._error(f"wrong number of args for {name}: want {len(params)} got {count}", node.pos)
        if count < len(params):
            raise self._error(f"wrong number of args for {name}: want at least {len(params)} got {count}", node.pos)
        values: list[Value] = [] if receiver is ABSENT else [receiver]
        for position, arg in enumerate(args[1:]):
            wanted = params[position] if position < len(params) else variadic
            values.append(self._argument(arg, dot, wanted))
        if final is not ABSENT:
            wanted = params[count - 1] if count <= len(params) else variadic
            values.append(self._valid(final, wanted, node))
        try:
            result = function.call(*values)
        except Failure as failure:
            raise self._error(f"error calling {name}: {failure}", node.pos) from failure
        except OverflowError as error:
            raise self._error(
                f"error calling {name}: the time lies outside of what can be written", node.pos
            ) from error
        if isinstance(result, str) and len(result) > OUTPUT_LIMIT:
            raise self._error(f"error calling {name}: the text grows beyond {OUTPUT_LIMIT} characters", node.pos)
        return result

    def _argument(self, node: Operand, dot: Value, wanted: GoType | None) -> Value:
        if isinstance(node, Literal) and wanted is not None and wanted.name not in {"interface {}", "reflect.Value"}:
            found = {str: "string", bool: "bool", int: "int", float: "float"}.get(type(node.value), "")
            if not wanted.constant:
                raise self._error(f"can't handle {node.written} for arg of type {wanted.name}", node.pos)
            if found != wanted.constant:
                raise self._error(f"expected {wanted.constant}; found {node.written}", node.pos)
            return node.value
        if isinstance(node, Nil) and wanted is not None and not wanted.nilable:
            raise self._error(f"cannot assign nil to {wanted.name}", node.pos)
        return self._valid(self._plain(node, dot), wanted, node)

    def _valid(self, value: Value, wanted: GoType | None, node: Operand) -> Value:
        if wanted is None or wanted.accepts(value):
            return value
        if value is None:
            raise self._error(f"invalid value; expected {wanted.name}", node.pos)
        raise self._error(f"wrong type for value; expected {wanted.name}; got {type_name(value)}", node.pos)
