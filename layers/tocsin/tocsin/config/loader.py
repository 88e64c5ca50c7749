"""The way from files to a plan: ``load``. A file that does not say what it should raises every problem at once.

Bootstrap hands in what channels and sources there are, so that both stay one place.
"""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.config.alertmanager import Alertmanager, find_templates, read_alertmanager
from tocsin.config.beside import Beside, read_beside
from tocsin.config.document import LARGEST_FILE, Findings, Node, compose
from tocsin.config.plan import Plan
from tocsin.config.reading import text_of
from tocsin.config.receivers import Channels, Draft, merge_receivers
from tocsin.config.routes import undefined
from tocsin.config.settings import Workshop
from tocsin.errors import ConfigError, Problem, TemplateError
from tocsin.templates import TemplateSet

BESIDE = "tocsin.yml"
ALERTMANAGER = "alertmanager.yml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan, the secrets that were taken out of it, and what its files were.

    ``secrets`` maps the names in ``{"$secret": name}`` to values. ``files`` are all that were read: watch them.
    """

    plan: Plan
    secrets: Mapping[str, str]
    warnings: tuple[Problem, ...]
    files: tuple[Path, ...]


@dataclass(slots=True)
class _File:
    """One YAML file and what was found in it."""

    path: Path
    findings: Findings
    root: Node | None


def load(path: str | Path, channels: Channels, sources: Collection[str] = ()) -> Loaded:
    """Load an ``alertmanager.yml`` (with the ``tocsin.yml`` beside it, if there is one) or a ``tocsin.yml``.

    Args:
        path: a file with a top-level ``route`` is an ``alertmanager.yml``; any other is a ``tocsin.yml``.
        channels: config key (``slack_configs``) → schema; see ``ChannelSchema.of``.
        sources: the kinds of sources there are; empty accepts any.

    Raises:
        ConfigError: ``problems`` holds every error (and warning) with file, line, column and what to do.
    """
    main, beside = _open(Path(path))
    templates = _templates(main)
    parsed = TemplateSet(tuple(templates.values()))
    shop = Workshop(main.findings, main.path.parent, parsed.check)
    read = read_alertmanager(main.root or Node("mapping", 0, 0), channels, shop)
    said: Beside | None = None
    if beside is not None:
        other = Workshop(
            beside.findings, beside.path.parent, shop.check_template, shop.secrets, shop.shared, join_all=True
        )
        said = _read_beside(beside.root or Node("mapping", 0, 0), read, channels, sources, other)
    problems = [*main.findings.problems, *(beside.findings.problems if beside is not None else ())]
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(*sorted(problems, key=_order))
    plan = _plan(main, read, said, tuple(templates.values()))
    problems += _silent_catch_all(plan, said, main, beside)
    files = [each.path for each in (main, beside) if each is not None]
    return Loaded(plan, shop.secrets, tuple(sorted(problems, key=_order)), (*files, *templates))


def _silent_catch_all(plan: Plan, said: Beside | None, main: _File, beside: _File | None) -> list[Problem]:
    """Warn of a catch-all that nobody hears of: what is lost everywhere else ends there."""
    if any(integration.channel for integration in plan.receivers[plan.catch_all].integrations):
        return []
    advice = "set catch_all in tocsin.yml to a receiver that somebody reads"
    sentence = f'the catch-all, receiver "{plan.catch_all}", has no integration that Tocsin speaks: {advice}'
    findings = Findings(str(beside.path if beside is not None and said is not None and said.catch_all else main.path))
    findings.warning(said.nodes.get("catch_all") if said is not None else None, sentence)
    return findings.problems


def _order(problem: Problem) -> tuple[str, str, int, int]:
    return problem.severity, problem.file, problem.line, problem.column


def _open(path: Path) -> tuple[_File, _File | None]:
    """Find both files from either of them."""
    first = _read(path)
    if first.root is not None and _has(first.root, "kind") and _has(first.root, "apiVersion"):
        sentence = "this is a Kubernetes object, which is not read yet: write its routes as an alertmanager.yml"
        raise ConfigError(Problem(sentence, str(path), first.root.line, first.root.column))
    if first.root is None or _has(first.root, "route") or not _is_beside(first.root, path):
        beside = path.parent / BESIDE
        return first, _read(beside) if beside != path and beside.is_file() else None
    named = next((value for key, value in first.root.pairs if key.text == "alertmanager_config"), None)
    written = text_of(named, "alertmanager_config", first.findings) or ALERTMANAGER
    where = path.parent / written
    try:
        return _read(where), first
    except ConfigError:
        if where.exists():
            raise
        sentence = f"there is no {written}, seen from this file's folder: set alertmanager_config to where it is"
        place = (named.line, named.column) if named else (0, 0)
        raise ConfigError(Problem(sentence, str(path), *place)) from None


def _is_beside(root: Node, path: Path) -> bool:
    """Tell a tocsin.yml from an alertmanager.yml that lost its route."""
    ours = ("sources", "heartbeats", "catch_all", "alertmanager_config", "delivery", "external_url")
    return path.name == BESIDE or any(_has(root, key) for key in ours)


def _has(root: Node, key: str) -> bool:
    return any(each.text == key for each, _ in root.pairs)


def _read(path: Path) -> _File:
    findings = Findings(str(path))
    text = read_text(path, findings)
    if text is None:
        raise ConfigError(*findings.problems)
    root = compose(text, findings)
    if root is not None and root.is_null:
        root = None
    return _File(path, findings, root)


def read_text(path: Path, findings: Findings) -> str | None:
    """Read a file whole; a problem is noted (for that file) and None given."""
    elsewhere = Findings(str(path))
    try:
        if path.is_dir():
            elsewhere.error(None, "this is a directory: name the file in it")
        elif path.stat().st_size > LARGEST_FILE:
            elsewhere.error(
                None, f"the file is larger than {LARGEST_FILE >> 20} MB, which no config needs: check what it is"
            )
        else:
            content = path.read_bytes()
            return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except FileNotFoundError:
        elsewhere.error(None, "no such file: check the path")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        elsewhere.problems.append(
            Problem(f"not UTF-8 (byte 0x{error.object[error.start]:02x}): save it as UTF-8", str(path), line)
        )
    except OSError as error:
        elsewhere.error(None, f"cannot be read: {error.strerror}")
    findings.problems += elsewhere.problems
    return None


def _templates(main: _File) -> dict[Path, str]:
    """Read the template files; those that do not parse are noted and left out."""
    found: dict[Path, str] = {}
    for file in find_templates(main.root, main.path.parent, main.findings):
        text = read_text(file, main.findings)
        if text is None:
            continue
        try:
            TemplateSet((text,), (file.name,))
        except TemplateError as error:
            main.findings.problems += [replace(problem, file=str(file)) for problem in error.problems]
        else:
            found[file] = text
    return found


def _read_beside(
    root: Node, read: Alertmanager, channels: Channels, sources: Collection[str], shop: Workshop
) -> Beside:
    said = read_beside(root, sources, shop)
    merge_receivers(said.nodes.get("receivers"), read.receivers, channels, read.global_, shop)
    used = {draft.fallback for draft in read.receivers.values()} | {said.catch_all}
    for draft in read.receivers.values():
        if draft.fallback and draft.fallback not in read.receivers:
            shop.findings.error(
                draft.fallback_node, undefined("receiver", draft.fallback, read.receivers, "used as fallback")
            )
        elif draft.fallback == draft.name:
            shop.findings.error(draft.fallback_node, f'receiver "{draft.name}" is its own fallback: name another one')
        if draft.beside and draft.name not in used:
            _stray(draft, read.receivers, shop)
    if said.catch_all and said.catch_all not in read.receivers:
        shop.findings.error(
            said.nodes["catch_all"], undefined("receiver", said.catch_all, read.receivers, "used as catch_all")
        )
    return said


def _stray(draft: Draft, receivers: Mapping[str, Draft], shop: Workshop) -> None:
    others = [name for name in receivers if name != draft.name]
    sentence = undefined("receiver", draft.name, others, "in tocsin.yml").partition(": ")[2]
    shop.findings.error(
        draft.node,
        f'receiver "{draft.name}" is not in alertmanager.yml, and no fallback or catch_all names it: {sentence}',
    )


def _plan(main: _File, read: Alertmanager, said: Beside | None, templates: tuple[str, ...]) -> Plan:
    if read.route is None:  # unreachable: a missing route is an error
        raise ConfigError(Problem("no route provided in config", str(main.path)))
    plan = Plan(
        route=read.route,
        receivers={draft.name: draft.finished() for draft in read.receivers.values()},
        catch_all=read.route.receiver,
        origin=str(main.path),
        open_on_loopback=said is None,
        inhibit_rules=read.inhibit_rules,
        time_intervals=read.time_intervals,
        templates=templates,
        resolve_timeout=read.global_["resolve_timeout"],
    )
    if said is None:
        return plan
    return replace(
        plan,
        catch_all=said.catch_all or plan.catch_all,
        sources=said.sources,
        heartbeats=said.heartbeats,
        external_url=said.external_url,
        delivery=said.delivery,
        stale_after=said.stale_after,
        on_stale=said.on_stale,
    )
