"""What a set of templates is: defaults, users' texts, strings of the config; and what it says of mistakes."""

from __future__ import annotations

import pytest
from tocsin.errors import TemplateError
from tocsin.templates import KV, Alerts, Data, TemplateSet


def test_a_string_without_actions_is_itself() -> None:
    assert TemplateSet().text("#alerts", Data(), 0) == "#alerts"
    assert TemplateSet().html("a < b", Data(), 0) == "a &lt; b", "html/template escapes even the author's stray <"


def test_later_texts_override_earlier_ones_and_the_defaults() -> None:
    templates = TemplateSet(
        [
            '{{ define "slack.default.title" }}mine{{ end }}{{ define "x" }}1{{ end }}',
            '{{ define "x" }}2{{ end }}{{ define "slack.default.title" }} {{ end }}',
        ]
    )
    assert templates.text('{{ template "x" . }}', Data(), 0) == "2"
    assert templates.text('{{ template "slack.default.title" . }}', Data(), 0) == "mine", "a blank one replaces nothing"
    assert templates.text('{{ template "slack.default.fallback" . }}', Data(), 0).startswith("mine | ")


def test_a_string_may_define_templates_of_its_own_without_leaving_them_behind() -> None:
    templates = TemplateSet(['{{ define "x" }}set{{ end }}'])
    own = '{{ define "x" }}own{{ end }}{{ template "x" }}'
    for render in (templates.text, templates.html):
        assert render(own, Data(), 0) == "own"
        assert render('{{ template "x" }}', Data(), 0) == "set"
        assert render(own, Data(), 0) == "own", "the second run is the first"


def test_a_page_that_failed_fails_the_same_way_again_and_harms_no_other() -> None:
    templates = TemplateSet(
        ['{{ define "open" }}<a href="{{ end }}{{ define "bad" }}<p {{ template "nope" }}{{ end }}']
    )
    for _ in range(2):
        with pytest.raises(TemplateError, match=r'template text 1:1:\d+: template .bad. .* no such template "nope"'):
            templates.html('{{ template "open" }}{{ template "bad" }}', Data(), 0)
    assert templates.html('{{ template "open" }}{{ .Status }}">', Data(status="a b"), 0) == '<a href="a%20b">'


def test_a_named_text_is_a_template_too() -> None:
    templates = TemplateSet(["<{{ .Status }}>"], ["conf/templates/my.tmpl"])
    assert templates.text('{{ template "my.tmpl" . }}', Data(status="firing"), 0) == "<firing>"
    assert "my.tmpl" in templates


def test_every_text_that_does_not_parse_is_told_with_its_place() -> None:
    texts = ['{{ define "a" }}\n  {{ nonsense . }}\n{{ end }}', '{{ define "b" }}{{ end }}', "{{ if }}"]
    with pytest.raises(TemplateError) as caught:
        TemplateSet(texts, ["one.tmpl", "two.tmpl", "three.tmpl"])
    assert [str(problem) for problem in caught.value.problems] == [
        "one.tmpl:2:6: function 'nonsense' not defined",
        "three.tmpl:1:7: missing value for if",
    ]


def test_a_text_without_a_name_is_called_by_its_number() -> None:
    with pytest.raises(TemplateError, match=r"^template text 2:1:6: "):
        TemplateSet(["", "{{ 1 + 1 }}"])


WRONG = {
    "{{ foo }}": "1:4: function 'foo' not defined",
    "a\nb {{ $x }}": "2:6: undefined variable '$x'",
    "{{ .Status": '1:1: "{{" without its "}}"',
    '{{ "abc }}': '1:4: a quoted text is not closed: "',
    "{{ `abc }}": "1:4: a raw text is not closed: `",
    "{{ (1 }}": '1:1: "(" without its ")"',
    "{{ 1) }}": '1:5: unexpected ")"',
    "{{ if 1 }}x": "1:4: {{if}} is never closed: its {{end}} is missing",
    "{{ range .Alerts }}{{ if 1 }}{{ end }}": "1:4: {{range}} is never closed: its {{end}} is missing",
    "x{{ end }}": "1:5: unexpected {{end}}: nothing is open here",
    "{{ if 1 }}{{ else }}{{ else }}{{ end }}": "1:24: expected end; found {{else}}",
    "{{ break }}": "1:4: {{break}} outside {{range}}",
    "{{ 1 | 2 }}": "1:8: non executable command in pipeline stage 2",
    "{{ template x }}": "1:13: unexpected 'x' in template clause: the name must be quoted",
    "{{ }}": "1:4: missing value for command",
    "{{/* a */ x }}": "1:1: a comment must be an action of its own: {{/* … */}}",
    '{{ "\\q" }}': "1:4: \"\\q\" cannot be read: '\\\\q' is no escape",
    "{{ 99999999999999999999 }}": "1:4: 99999999999999999999 cannot be read: 99999999999999999999 overflows int",
    "{{ 'ab' }}": "1:4: malformed character constant: 'ab'",
    "{{ .a.b$ }}": "1:8: bad character '$'",
    "{{ 1 == 1 }}": "1:6: unexpected '=' in operand",
    '{{ if 1 }}{{ define "x" }}{{ end }}{{ end }}': "1:14: a define cannot stand within another block",
    '{{ template "nope" . }}': "1:4: template 'nope' is not defined",
    '{{ define "a" }}{{ if 1 }}{{ template "b" }}{{ end }}{{ end }}{{ template "a" }}': (
        "1:30: template 'b' is not defined"
    ),
    "{{" + "(" * 80 + "1" + ")" * 80 + "}}": "1:63: parentheses are nested deeper than 60 levels",
    "{{ if 1 }}" * 70 + "{{ end }}" * 70: "1:604: blocks are nested deeper than 60 levels",
}


@pytest.mark.parametrize("template", WRONG)
def test_check_says_what_is_wrong_and_where(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        TemplateSet().check(template)
    assert str(caught.value) == WRONG[template]


@pytest.mark.parametrize(
    "template", ["", "plain", "{{ .Nope }}", '{{ template "__subject" . }}', '{{ index nil "a" }}']
)
def test_check_passes_what_only_data_could_break(template: str) -> None:
    TemplateSet().check(template)


def test_check_sees_a_page_that_cannot_be_escaped() -> None:
    templates = TemplateSet()
    templates.check('<a href="{{ .Status }}')
    with pytest.raises(TemplateError, match="ends in a non-text context: URL"):
        templates.check('<a href="{{ .Status }}', html=True)


FAILS = {
    "{{ .Nope }}": "1:4: the template cannot be rendered: can't evaluate field Nope in type template.Data",
    "\n{{ index .Alerts 3 }}": "2:4: the template cannot be rendered: error calling index: index out of range: 3",
    '{{ template "boom" . }}': "mine.tmpl:2:4: template 'boom' cannot be rendered: error calling match: ",
    "{{ toUpper 1 }}": "1:12: the template cannot be rendered: expected string; found 1",
    "{{ $x := 1 }}{{ toUpper $x }}": "wrong type for value; expected string; got int",
    "{{ nil }}": "nil is not a command",
    "{{ len }}": "wrong number of args for len: want 1 got 0",
    "{{ join nil nil }}": "cannot assign nil to string",
    '{{ template "nope" }}': "template 'nope' is not defined",
    "{{ 1 | .Status }}": "Status has arguments but cannot be invoked as function",
    "{{ lt 1 true }}": "error calling lt: incompatible types for comparison",
}


@pytest.mark.parametrize("template", FAILS)
def test_a_failing_template_names_itself_and_the_place(template: str) -> None:
    templates = TemplateSet(['{{ define "boom" }}\n{{ match "(" .Status }}{{ end }}'], ["mine.tmpl"])
    with pytest.raises(TemplateError) as caught:
        templates.text(template, Data(status="firing"), 0)
    assert FAILS[template] in str(caught.value)


ENDLESS = {
    "a template that includes itself": '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
    "text that doubles": '{{ $x := "ab" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}',
    "a list within itself again and again": "{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
    "the same as JSON": "{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
    "a list that sinks ever deeper": "{{ $x := list }}{{ range 5000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
    "a long list joined with a long glue": (
        '{{ $g := printf "%2000000d" 1 }}{{ $l := stringSlice "" "" "" "" "" "" "" "" "" "" }}{{ join $g $l }}'
    ),
    "a match in every place": '{{ $g := printf "%9999d" 1 }}{{ len (reReplaceAll "" $g $g) }}',
    "much output": '{{ $g := printf "%1000000d" 1 }}{{ range 20 }}{{ $g }}{{ end }}',
    "loops within loops": "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
    "a loop without a body": "{{ range 9223372036854775807 }}{{ end }}",
    "a route label that asks for itself": '{{ routeLabels "a" }}',
}


@pytest.mark.parametrize("why", ENDLESS)
def test_a_template_without_end_is_an_error(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.templates.execute.MAX_STEPS", 100_000)
    data = Data(route_labels=KV(a='{{ routeLabels "b" }}', b='{{ routeLabels "a" }}'))
    templates = TemplateSet()
    for render in (templates.text, templates.html):
        with pytest.raises(TemplateError):
            render(ENDLESS[why], data, 0)


def test_route_labels_are_templates_that_are_rendered_once() -> None:
    data = Data(status="firing", route_labels=KV(a='<{{ routeLabels "b" }}>', b="{{ .Status }}", c="plain"))
    templates = TemplateSet()
    assert (
        templates.text('{{ routeLabels "a" }} {{ routeLabels "c" }}{{ routeLabels "no" }}', data, 0) == "<firing> plain"
    )
    with pytest.raises(TemplateError, match="route label 'a': 1:4: the template cannot be rendered"):
        templates.text('{{ routeLabels "a" }}', Data(route_labels=KV(a="{{ .Nope }}")), 0)


def test_plain_objects_serve_as_data_too() -> None:
    data = {"a": {"b": [1, "x", None, True]}, "n": None}
    templates = TemplateSet()
    assert templates.text("{{ index .a.b 1 }} {{ .n }} {{ .none }} {{ .a.none.more }} {{ .a }}", data, 0) == (
        "x <no value> <no value> <no value> map[b:[1 x <nil> true]]"
    )
    assert templates.html("<p>{{ .n }}</p>", data, 0) == "<p></p>", "html/template leaves out what is not there"


def test_a_missing_label_is_empty_not_no_value() -> None:
    assert TemplateSet().text("[{{ .CommonLabels.nope }}]", Data(), 0) == "[]"


def test_bytes_that_are_no_utf8_are_written_as_replacement_characters() -> None:
    assert TemplateSet().text('{{ slice "é" 0 1 }}{{ .Status }}', Data(status="\ud800"), 0) == "\ufffd\ufffd"


def test_an_empty_notification_has_its_default_texts() -> None:
    templates = TemplateSet()
    assert templates.text('{{ template "__subject" . }}', Data(status="resolved", alerts=Alerts()), 0) == "[RESOLVED]  "
    assert "0 alerts" in templates.html('{{ template "email.default.html" . }}', Data(), 0)
