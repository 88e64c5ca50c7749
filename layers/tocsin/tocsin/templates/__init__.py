"""The template language of Alertmanager: Go's text/template and html/template, and its functions.

``TemplateSet`` parses and renders; ``Data``, ``Alert`` and ``KV`` are what its templates are given.
"""

from __future__ import annotations

from tocsin.templates.datajson import load_data
from tocsin.templates.datavalues import KV, Alert, Alerts, Data
from tocsin.templates.templateset import TemplateSet
from tocsin.templates.timevalues import Duration, Time

__all__ = ["KV", "Alert", "Alerts", "Data", "Duration", "TemplateSet", "Time", "load_data"]
