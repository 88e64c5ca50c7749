"""The functions that the installed amtools are too old for, and Go's rules at their edges."""

from __future__ import annotations

import pytest
from tocsin.errors import TemplateError
from tocsin.templates import Data, TemplateSet
from tocsin.templates.gotime import parse_rfc3339

NOW = parse_rfc3339("2026-03-04T06:00:00.5Z")

WRITES = {
    '{{ toJson "a<b>&\\u2028" }}': '"a\\u003cb\\u003e\\u0026\\u2028"',
    "{{ toJson .CommonLabels }}": '{"alertname":"HighCPU","cluster":"eu","job":"node","severity":"page"}',
    "{{ toJson .CommonLabels.Names }}": '["alertname","cluster","job","severity"]',
    "{{ toJson (index .CommonLabels.SortedPairs 0) }}": '{"Name":"alertname","Value":"HighCPU"}',
    '{{ toJson (dict "b" 1 "a" (list 1.5 true nil)) }}': '{"a":[1.5,true,null],"b":1}',
    "{{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson 100.0 }} {{ toJson 1.25 }} {{ toJson 1e20 }}": (
        "1e+21 1e-7 100 1.25 100000000000000000000"
    ),
    "{{ toJson (index .Alerts 1).StartsAt }}": '"2026-03-04T05:06:07+02:00"',
    "{{ toJson (index .Alerts 2) }}": (
        '{"status":"firing","labels":{"alertname":"HighCPU","cluster":"eu","instance":"c:1","job":"node",'
        '"severity":"page"},"annotations":{},"startsAt":"2026-03-04T05:06:07Z","endsAt":"0001-01-01T00:00:00Z",'
        '"generatorURL":"http://p/2","fingerprint":"cc"}'
    ),
    '{{ toJson (slice "é" 0 1) }}': '"\\ufffd"',
    '{{ list 1 "a" nil }} {{ list }} {{ len (list 1 2) }} {{ printf "%T" (list 1) }}': (
        "[1 a <nil>] [] 2 []interface {}"
    ),
    '{{ append (list 1) 2 "x" }} {{ append nil 1 }}': "[1 2 x] [1]",
    '{{ $l := list "a" }}{{ $m := append $l "b" }}{{ $l }} {{ $m }}': "[a] [a b]",
    '{{ (dict "a" 1 "b" "x").b }} {{ index (dict "a" 1) "a" }} {{ dict }} {{ (dict "a" 1).zz }}': (
        "x 1 map[] <no value>"
    ),
    '{{ range $k, $v := dict "b" 2 "a" 1 }}{{ $k }}{{ $v }}{{ end }}': "a1b2",
    '{{ base64encode "a?>~é" }} {{ base64decode "YT8-fsOp" }} {{ base64encode "" }}|{{ base64decode "" }}': (
        "YT8-fsOp a?>~é |"
    ),
    '{{ urlUnescape "a%20b+c%2F" }} {{ safeUrl "javascript:x" }} {{ printf "%T" (safeUrl "a") }}': (
        "a b c/ javascript:x template.URL"
    ),
    "{{ .CommonLabels.Values.Join `, ` }}": "HighCPU, eu, node, page",
    "{{ now }} {{ now.Year }}": "2026-03-04 06:00:00.5 +0000 UTC 2026",
    "{{ since (index .Alerts 2).StartsAt }}": "53m53.5s",
    "{{ since (index .Alerts 2).StartsAt | humanizeDuration }}": "53m 53s",
    '{{ toDate "2006-01-02" "2026-03-04" }}': "2026-03-04 00:00:00 +0000 UTC",
    '{{ (toDate "2006-01-02" "nonsense").IsZero }}': "true",
    '{{ mustToDate "Jan _2 2006 3:04PM" "Mar  4 2026 5:06PM" }}': "2026-03-04 17:06:00 +0000 UTC",
    '{{ (mustToDate "2006-01-02T15:04:05Z07:00" "2026-03-04T05:06:07.25+02:00").UTC }}': (
        "2026-03-04 03:06:07.25 +0000 UTC"
    ),
    "{{ .RouteLabels }}{{ .NotificationReason }}|": "|",
    '{{ printf "%v" . | len | lt 100 }}': "true",
}


@pytest.mark.parametrize("template", WRITES)
def test_functions_write_what_go_would(template: str, data: Data) -> None:
    assert TemplateSet().text(template, data, NOW) == WRITES[template]


REFUSED = {
    '{{ dict "a" }}': "dict requires an even number of arguments",
    "{{ dict 1 2 }}": "dict keys must be strings",
    '{{ append "a" 1 }}': 'can\'t handle "a" for arg of type []interface {}',
    "{{ append .CommonLabels.Names 1 }}": "expected []interface {}; got template.Strings",
    '{{ base64decode "a+/=" }}': "illegal base64 data",
    '{{ base64decode "abc" }}': "illegal base64 data",
    '{{ urlUnescape "a%2" }}': 'invalid URL escape "%2"',
    '{{ mustToDate "2006-01-02" "2026-13-01" }}': "does not follow the layout",
    '{{ mustToDate "2006-01-02" "2026-02-29" }}': "a part is out of its range",
    '{{ mustToDate "2006-01-02" "2026-02-20x" }}': "'x' is left over",
    '{{ match "(" "" }}': "error parsing regexp",
    '{{ tz "Nowhere/X" now }}': "unknown time zone Nowhere/X",
    '{{ tz "../../etc/passwd" now }}': "unknown time zone",
    '{{ since "x" }}': 'can\'t handle "x" for arg of type time.Time',
    '{{ toJson (humanizeDuration "x") }}': 'strconv.ParseFloat: parsing "x": invalid syntax',
    "{{ (now.AddDate 999999999 0 0).Format 1 }}": "expected string; found 1",
}


@pytest.mark.parametrize("template", REFUSED)
def test_functions_refuse_what_go_would(template: str, data: Data) -> None:
    with pytest.raises(TemplateError) as caught:
        TemplateSet().text(template, data, NOW)
    assert REFUSED[template] in str(caught.value)
