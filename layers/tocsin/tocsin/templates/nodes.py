"""The tree of a parsed template. Positions are offsets into the source of the template a node stands in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from tocsin.templates.values import Value


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was parsed, and what to call it in a sentence; ``name`` is empty for a string of the config."""

    text: str
    name: str = ""

    def place(self, position: int) -> tuple[int, int]:
        """Return line and column of an offset, both counted from 1."""
        line = self.text.count("\n", 0, position) + 1
        return line, position - self.text.rfind("\n", 0, position)


@dataclass(slots=True)
class Dot:
    """``.``."""

    pos: int


@dataclass(slots=True)
class Nil:
    """``nil``."""

    pos: int


@dataclass(slots=True)
class Literal:
    """A string, number or bool; ``written`` is how it stands in the source."""

    pos: int
    value: Value
    written: str


@dataclass(slots=True)
class Fields:
    """``.A.B``: fields of dot."""

    pos: int
    names: tuple[str, ...]


@dataclass(slots=True)
class Variable:
    """``$x`` or ``$x.A.B``."""

    pos: int
    name: str
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class Call:
    """A function's name."""

    pos: int
    name: str


@dataclass(slots=True)
class Chain:
    """``(pipeline).A.B``."""

    pos: int
    start: Operand
    fields: tuple[str, ...]


@dataclass(slots=True)
class Command:
    """An operand and its arguments."""

    pos: int
    args: tuple[Operand, ...]


@dataclass(slots=True)
class Pipe:
    """Commands joined by ``|``, and the variables their value goes to. ``escapers`` are html/template's."""

    pos: int
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False
    escapers: tuple[str, ...] = ()


Operand: TypeAlias = "Dot | Nil | Literal | Fields | Variable | Call | Chain | Pipe"


@dataclass(slots=True)
class Text:
    """What stands outside of actions."""

    pos: int
    text: str


@dataclass(slots=True)
class Action:
    """``{{ pipeline }}``."""

    pos: int
    pipe: Pipe


@dataclass(slots=True)
class Branch:
    """``if``, ``with`` or ``range``."""

    pos: int
    word: str
    pipe: Pipe
    body: Body
    otherwise: Body | None


@dataclass(slots=True)
class Include:
    """``{{ template "name" pipeline }}``; ``written`` is the name in the source, ``name`` may be derived from it."""

    pos: int
    name: str
    pipe: Pipe | None
    written: str = ""


@dataclass(slots=True)
class Leave:
    """``break`` or ``continue``."""

    pos: int
    word: str


Node: TypeAlias = "Text | Action | Branch | Include | Leave"


@dataclass(slots=True)
class Body:
    """A run of nodes."""

    nodes: list[Node] = field(default_factory=list)

    def is_blank(self) -> bool:
        """Whether nothing but blanks stands here: such a definition does not replace another, as in Go."""
        return all(isinstance(node, Text) and not node.text.strip(" \t\r\n") for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Template:
    """A named template; the main one of a text has the name ``""``."""

    name: str
    body: Body
    source: Source


def written(node: Operand | Command) -> str:
    """Print a node roughly as it stands in the source, for messages."""
    match node:
        case Dot():
            return "."
        case Nil():
            return "nil"
        case Literal():
            return node.written
        case Fields():
            return "." + ".".join(node.names)
        case Variable():
            return ".".join((node.name, *node.fields))
        case Call():
            return node.name
        case Chain():
            start = written(node.start)
            return ".".join((f"({start})" if isinstance(node.start, Pipe) else start, *node.fields))
        case Command():
            return " ".join(f"({written(arg)})" if isinstance(arg, Pipe) else written(arg) for arg in node.args)
        case Pipe():
            commands = " | ".join(written(command) for command in node.commands)
            return (
                f"{', '.join(node.variables)} {'=' if node.assigns else ':='} {commands}"
                if node.variables
                else commands
            )
