from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tocsin.errors import MatcherError
from tocsin.matchers import (
    Matcher,
    compile_anchored,
    parse_matcher,
    parse_matchers,
    print_matchers,
    quote,
    sort_matchers,
)
from tocsin.matchers.quoting import unquote


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        pytest.param('a="b"', {"a": "b"}, True, id="equal"),
        pytest.param('a="b"', {"a": "bb"}, False, id="equal is no prefix"),
        pytest.param('a=""', {}, True, id="an absent label is the empty string"),
        pytest.param('a!="b"', {}, True, id="an absent label differs from a value"),
        pytest.param('a!=""', {}, False, id="an absent label does not differ from the empty string"),
        pytest.param('a=~"b|cd"', {"a": "cd"}, True, id="an alternative of a regexp"),
        pytest.param('a=~"b|cd"', {"a": "cde"}, False, id="a regexp is anchored at its end, alternatives too"),
        pytest.param('a=~"b|cd"', {"a": "xb"}, False, id="a regexp is anchored at its start"),
        pytest.param('a=~".*"', {}, True, id="an absent label matches what matches nothing"),
        pytest.param('a!~".+"', {}, True, id="an absent label does not match what needs a character"),
        pytest.param('a=~"."', {"a": "\n"}, False, id="a dot is no line break"),
        pytest.param('a=~"."', {"a": "\u00e9"}, True, id="a dot is a character, not a byte"),
        pytest.param('a=~"(?i)PAGE"', {"a": "page"}, True, id="flags work"),
        pytest.param('a=~"b$"', {"a": "b\n"}, False, id="the end is the end of the text, not of a line"),
        pytest.param('a=~"\\\\d+"', {"a": "12"}, True, id="an escaped backslash is one"),
    ],
)
def test_a_matcher_holds_as_in_alertmanager(text: str, labels: dict[str, str], holds: bool) -> None:
    assert parse_matcher(text).matches(labels) is holds


def test_a_lone_surrogate_in_a_label_does_not_stop_a_regexp() -> None:
    assert not parse_matcher('a=~"x"').matches({"a": "\ud800"})


def test_a_regexp_that_backtracks_elsewhere_is_linear_here() -> None:
    assert not parse_matcher('a=~"(x+x+)+y"').matches({"a": "x" * 10_000})


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        pytest.param("a=b", '{a="b"}', id="quotes are optional"),
        pytest.param("{a=b}", '{a="b"}', id="braces are optional"),
        pytest.param(' a = "b" , c =~ d ', '{a="b",c=~"d"}', id="spaces around tokens do not count"),
        pytest.param("a=b,", '{a="b"}', id="a trailing comma does not count"),
        pytest.param("", "{}", id="nothing is no matcher"),
        pytest.param("{}", "{}", id="empty braces are no matcher"),
        pytest.param('a="x,y"', '{a="x,y"}', id="a comma in quotes is text"),
        pytest.param('a="say \\"hi\\""', '{a="say \\"hi\\""}', id="escaped quotes"),
        pytest.param('a="\\\\d"', '{a="\\\\d"}', id="an escaped backslash"),
        pytest.param('a="\\d"', '{a="\\\\d"}', id="a lone backslash is literal in the classic grammar"),
        pytest.param('a="x\\ny"', '{a="x\\ny"}', id="a line break"),
        pytest.param("a==b", '{a="=b"}', id="a second equals sign is part of a classic value"),
        pytest.param("a='b'", "{a=\"'b'\"}", id="single quotes are part of a classic value"),
        pytest.param("a=", '{a=""}', id="an empty classic value"),
        pytest.param("{a=b", '{a="b"}', id="the classic grammar forgives one brace"),
        pytest.param('"a b"="c"', '{"a b"="c"}', id="a quoted name keeps its quotes where it needs them"),
        pytest.param('"a"="c"', '{a="c"}', id="a quoted name loses them where it does not"),
        pytest.param("\u00e9=\U0001f642", '{\u00e9="\U0001f642"}', id="UTF-8 names and values without quotes"),
        pytest.param('\u00e9="\\u00e9\\x41\\101"', '{\u00e9="\u00e9AA"}', id="Go's escapes in the UTF-8 grammar"),
        pytest.param('a="\\u00e9"', '{a="\\\\u00e9"}', id="both grammars read it, differently: the classic one wins"),
        pytest.param(
            '"a\\"b"="c\\td"', '{"a\\"b"="c\\td"}', id="names with reserved characters print both sides as Go"
        ),
        pytest.param("a:b=c", '{a:b="c"}', id="a colon in a classic name"),
        pytest.param("a.b=c", '{a.b="c"}', id="a dot in a UTF-8 name"),
        pytest.param('a="}"', '{a="}"}', id="a brace in quotes is text"),
        pytest.param("a=b}", '{a="b"}', id="a closing brace alone is trimmed by the classic grammar"),
    ],
)
def test_matchers_are_read_in_fallback_mode_and_printed(text: str, printed: str) -> None:
    assert print_matchers(parse_matchers(text)) == printed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "a", "bad matcher format: a: column 2: unexpected end of input: expected an operator", id="a name"
        ),
        pytest.param('a="b', 'matcher value lacks its closing double quote: "b', id="an open quote"),
        pytest.param('a=b"c', 'matcher value contains unescaped double quote: b"c', id="a quote within"),
        pytest.param("a=b,,c=d", "bad matcher format: ", id="two commas"),
        pytest.param('a=~"("', '"(" is not a regular expression of RE2: missing )', id="a regexp that is none"),
        pytest.param('a=~"(?=x)"', "is not a regular expression of RE2", id="lookahead is not in RE2"),
        pytest.param("a!b", "column 2: !: expected '!=' or '!~'", id="half an operator"),
        pytest.param('"a=b', 'column 1: "a=b: missing end "', id="a quoted name without end"),
        pytest.param('\u00e9="\\q"', "invalid input: unknown escape \\q", id="an escape that Go does not have"),
        pytest.param('\u00e9="\\xff"', "not valid UTF-8", id="bytes that are no UTF-8"),
        pytest.param("\u00e9=b}", "expected no close brace", id="a brace too many for the UTF-8 grammar"),
        pytest.param("{\u00e9=b", "expected a close brace", id="a brace too few for the UTF-8 grammar"),
        pytest.param("{\u00e9=b} x", "expected the end of the input", id="something behind the brace"),
        pytest.param("\u00e9=b c=d", "expected a comma or close brace", id="a comma too few"),
        pytest.param("\u00e9=b,,c=d", "expected a matcher or close brace after comma", id="a comma too many"),
        pytest.param("\u00e9==b", "expected a label value", id="an operator too many"),
        pytest.param("=b", "expected a label name", id="no name"),
    ],
)
def test_what_no_grammar_reads_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a='b'", "is read by the classic grammar only"),
        ('a="\\u00e9"', "means different things in the classic and the UTF-8 grammar"),
    ],
)
def test_what_only_the_classic_grammar_reads_is_warned_of(text: str, sentence: str) -> None:
    warnings: list[str] = []
    parse_matchers(text, warnings.append)
    assert len(warnings) == 1
    assert sentence in warnings[0]


def test_what_both_grammars_read_alike_is_not_warned_of() -> None:
    warnings: list[str] = []
    parse_matchers('{a="b", c=~"d|e"}', warnings.append)
    assert not warnings


@pytest.mark.parametrize("text", ["{a=b}", "a=b}", "{a=b", "a=b,c=d", ""])
def test_a_single_matcher_has_neither_braces_nor_a_second(text: str) -> None:
    if text == "a=b,c=d":  # the classic grammar takes the rest for the value, as upstream does
        assert parse_matcher(text).value == "b,c=d"
        return
    with pytest.raises(MatcherError):
        parse_matcher(text)


def test_matchers_sort_by_name_value_operator() -> None:
    given_in = [Matcher("b", "=", "a"), Matcher("a", "=~", "x"), Matcher("a", "=", "x"), Matcher("a", "!~", "w")]
    assert print_matchers(sort_matchers(given_in)) == '{a!~"w",a="x",a=~"x",b="a"}'


def test_equal_matchers_are_equal_whether_used_or_not() -> None:
    used, fresh = parse_matcher('a=~"b"'), parse_matcher('a=~"b"')
    used.matches({"a": "b"})
    assert used == fresh
    assert hash(used) == hash(fresh)


VALUES = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.one_of(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]*", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)


@settings(deadline=None)
@given(NAMES, st.sampled_from(["=", "!="]), VALUES)
def test_a_printed_matcher_reads_as_itself(name: str, op: str, value: str) -> None:
    matcher = Matcher(name, op, value)
    assert parse_matchers(str(matcher)) == (matcher,)


@settings(deadline=None)
@given(st.text())
def test_no_text_raises_anything_but_a_matcher_error(text: str) -> None:
    with contextlib.suppress(MatcherError):
        parse_matchers(text)


@settings(deadline=None)
@given(VALUES)
def test_a_go_string_reads_as_what_was_quoted(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('"\\\a\b\f\n\r\t\v', '"\\"\\\\\\a\\b\\f\\n\\r\\t\\v"'),
        ("\x00\x7f\x1f", '"\\x00\\x7f\\x1f"'),
        ("\u00a0\u200b\ufeff\u2028", '"\\u00a0\\u200b\\ufeff\\u2028"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\u00e9\U0001f642\ufffd", '"\u00e9\U0001f642\ufffd"'),
        ("\ud800", '"\\ufffd"'),
    ],
)
def test_text_is_quoted_as_go_does(text: str, quoted: str) -> None:
    assert quote(text) == quoted


PATTERNS = st.text(st.sampled_from("ab|^$(?:).x -_\u00e9\u212a"), max_size=12)


@settings(deadline=None)
@given(PATTERNS, st.sampled_from(["", "a", "b", "ab", "x", "\u00e9", "K", "k", "a|b", "^a$", " "]))
def test_comparing_literals_answers_as_the_regexp_would(pattern: str, value: str) -> None:
    matcher = Matcher("n", "=~", pattern)
    if matcher.literals is not None:
        assert matcher.matches({"n": value}) is (compile_anchored(pattern).search(value) is not None)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("a|b-c", {"a", "b-c"}),
        ("^(?:a|b)$", {"a", "b"}),
        ("", {""}),
        ("a.b", None),
        ("a|(b)", None),
        ("^(?:a)|(?:b)$", None),
    ],
)
def test_a_regexp_of_plain_alternatives_is_known_for_one(pattern: str, literals: set[str] | None) -> None:
    assert Matcher("n", "=~", pattern).literals == literals
