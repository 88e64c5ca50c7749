"""The route tree against amtool: where labels go, how the tree prints, which matchers are read, and how."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tocsin.cli.routes import matching_tree, show_tree
from tocsin.config.loader import load
from tocsin.config.plan import Route
from tocsin.errors import MatcherError
from tocsin.matchers import parse_classic_matchers, parse_matchers, print_matchers
from tocsin.routing import match

pytestmark = pytest.mark.oracle

Amtool = Callable[..., "subprocess.CompletedProcess[str]"]

NAMES = ("a", "b", "team", "severity")
VALUES = ("x", "y", "page", "x y", "no.1", 'q"q', "")
REGEXPS = ("x|y", "pa.*", ".*", ".+", "(?i)PAGE", "[xy]", "no\\.1", "", "x$|^y", "\\w+")
UTF8_NAMES = ("a", "t\u00e9am", "a b", "\U0001f642", "a.b")
CONFIGS, LABEL_SETS = 25, 40  # a thousand pairs


def amtool_or_skip(name: str) -> Amtool:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run([path, *map(str, args)], capture_output=True, text=True, check=False)
        answer.stdout = answer.stdout.replace("\u00a0", " ")  # the older tree printer puts them behind its bars
        return answer

    return run


def random_matcher(chance: random.Random, names: tuple[str, ...]) -> str:
    name, op = chance.choice(names), chance.choice(("=", "!=", "=~", "!~"))
    value = chance.choice(REGEXPS if op.endswith("~") else VALUES)
    if names is UTF8_NAMES:
        name = json.dumps(name, ensure_ascii=False) if " " in name or chance.random() < 0.3 else name
    return f"{name}{op}{json.dumps(value)}"


def random_route(chance: random.Random, depth: int, names: tuple[str, ...]) -> dict[str, Any]:
    route: dict[str, Any] = {}
    if chance.random() < 0.7:
        route["receiver"] = chance.choice("pqrst")
    if chance.random() < 0.8:
        route["matchers"] = [random_matcher(chance, names) for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.2:
        route["match"] = {chance.choice(NAMES): chance.choice(VALUES)}
    if chance.random() < 0.2:
        route["match_re"] = {chance.choice(NAMES): chance.choice(REGEXPS)}
    if chance.random() < 0.35:
        route["continue"] = True
    if depth:
        route["routes"] = [random_route(chance, depth - 1, names) for _ in range(chance.randint(0, 3))]
    return route


def random_config(chance: random.Random, names: tuple[str, ...] = NAMES) -> str:
    root = {"receiver": "p", "routes": [random_route(chance, 3, names) for _ in range(chance.randint(1, 4))]}
    return json.dumps({"route": root, "receivers": [{"name": name} for name in "pqrst"]}, ensure_ascii=False)


def random_labels(chance: random.Random, names: tuple[str, ...]) -> dict[str, str]:
    return {name: chance.choice(VALUES[:-1]) for name in names if chance.random() < 0.6}


def arguments(labels: dict[str, str]) -> list[str]:
    return [f"{json.dumps(name, ensure_ascii=False) if not name.isalpha() or not name.isascii() else name}="
            f"{json.dumps(value)}" for name, value in labels.items()]  # fmt: skip


def configs(folder: Path, names: tuple[str, ...], count: int, seed: int) -> Iterator[tuple[Path, Route, random.Random]]:
    chance = random.Random(seed)
    for number in range(count):
        path = folder / f"{number}.yml"
        path.write_text(random_config(chance, names))
        yield path, load(path, {}).plan.route, chance


def assert_agreement(amtool: Amtool, folder: Path, names: tuple[str, ...], count: int, each: int) -> None:
    pairs = [
        (path, route, random_labels(chance, names))
        for path, route, chance in configs(folder, names, count, seed=len(names) * count)
        for _ in range(each)
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda p: amtool("config", "routes", "test", f"--config.file={p[0]}", "--tree",
                                                 *arguments(p[2])), pairs))  # fmt: skip
    for (path, route, labels), answer in zip(pairs, answers, strict=True):
        ours = ",".join(found.receiver for found in match(route, labels))
        printed = f"Matching routes:\n{matching_tree(route, labels)}\n\n{ours}\n"
        assert answer.stdout == printed, f"{path.read_text()}\n{labels}\n{answer.stderr}"


@pytest.mark.slow
def test_a_thousand_random_label_sets_go_where_amtool_says(tmp_path: Path) -> None:
    assert_agreement(amtool_or_skip("amtool"), tmp_path, NAMES, CONFIGS, LABEL_SETS)


def test_label_sets_with_utf8_names_go_where_the_newer_amtool_says(tmp_path: Path) -> None:
    assert_agreement(amtool_or_skip("amtool-next"), tmp_path, UTF8_NAMES, 10, 20)


@pytest.mark.parametrize(("name", "names"), [("amtool", NAMES), ("amtool-next", UTF8_NAMES)])
def test_trees_print_as_amtool_prints_them(tmp_path: Path, name: str, names: tuple[str, ...]) -> None:
    amtool = amtool_or_skip(name)
    for path, route, _ in configs(tmp_path, names, 20, seed=7):
        answer = amtool("config", "routes", "show", f"--config.file={path}")
        assert answer.stdout == f"Routing tree:\n{show_tree(route)}\n", answer.stderr


# What a person might type, and what nobody would: tokens thrown together.
TOKENS = ("a", "b1", "\u00e9", "\U0001f642", "=", "!=", "=~", "!~", "!", "~", '"', '""', '"x"', '"x,y"', "\\", "\\n",
          '\\"', "\\u00e9", ",", "{", "}", " ", "\t", "\n", "'", "`", "(", ".*", "x|y", ":", "-", "0")  # fmt: skip
WRITTEN = ("a=b", "{a=b}", '{a="b",}', '{a="b", c=~"d|e",f!~""}', 'a="x\\ny"', "a='b'", "a=b c", '"a b"=c', "a=",
           'a=~"a\\\\.b"', "{}", "", " ", "a==b", 'a="\\u00e9"', '\u00e9="\\u00e9"', 'a="b"c', '"\\x41"=b',
           "a\u00a0=b", 'a="\t"', "{a=b", "a=b}", "{{a=b}}", '"a"="b"', "a:b=c", '"a:b"=c')  # fmt: skip


def matcher_texts() -> list[str]:
    chance = random.Random(34)
    texts = ["".join(chance.choices(TOKENS, k=chance.randint(2, 7))) for _ in range(300)]
    for _ in range(300):
        name, op = chance.choice(("a", "\u00e9", '"a b"')), chance.choice(TOKENS[4:8])
        texts.append(name + op + "".join(chance.choices(TOKENS, k=chance.randint(1, 4))))
    return [*WRITTEN, *dict.fromkeys(texts)]


@pytest.mark.parametrize(("name", "parse"), [("amtool", parse_classic_matchers), ("amtool-next", parse_matchers)])
def test_matchers_are_read_and_refused_as_amtool_does(tmp_path: Path, name: str, parse: Any) -> None:
    amtool = amtool_or_skip(name)
    read: dict[str, str] = {}
    refused: list[str] = []
    for text in matcher_texts():
        try:
            read[text] = print_matchers(sorted(parse(text), key=lambda matcher: matcher.sort_key))
        except MatcherError:
            refused.append(text)

    def config(*texts: str) -> Path:
        routes = [{"receiver": "p", "matchers": [text]} for text in texts]
        path = tmp_path / f"{abs(hash(texts))}.yml"
        path.write_text(json.dumps({"route": {"receiver": "p", "routes": routes}, "receivers": [{"name": "p"}]},
                                   ensure_ascii=False))  # fmt: skip
        return path

    shown = amtool("config", "routes", "show", f"--config.file={config(*read)}")
    expected = [f"{'default-route' if printed == '{}' else printed}  receiver: p" for printed in read.values()]
    tree = shown.stdout.partition("Routing tree:\n")[2]  # the newer one logs its warnings before it
    assert [line[8:] for line in tree.split("\n")[2:-2]] == expected, shown.stderr
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda text: amtool("check-config", config(text)).returncode, refused))
    assert [text for text, code in zip(refused, codes, strict=True) if code == 0] == []
    assert len(read) > 80
    assert len(refused) > 100
