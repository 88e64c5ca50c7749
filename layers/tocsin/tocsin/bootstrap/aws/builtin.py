"""The plan until one is pushed: everything is told to CatchAllEmail, and all senders share one token."""

from __future__ import annotations

from tocsin.bootstrap.aws.deployment import Deployment
from tocsin.config.plan import Integration, Plan, Receiver, Route, SourceSettings

CATCH_ALL = "catch-all"
INGEST_TOKEN = {"$secret": "sources/ingest-token"}  # template.yaml has it generated
# Pingdom can send no header of its own choice.
_PROOFS = {"alertmanager": "bearer", "pingdom": "path"}


def builtin_plan(stack: Deployment) -> Plan:
    """Make the plan of a fresh deployment."""
    settings = {
        "to": stack.catch_all_email,
        "from": stack.email_from,
        "transport": "ses",
        "ses_configuration_set": stack.configuration_set,
        "headers": {"Subject": '{{ template "email.default.subject" . }}'},
        "html": '{{ template "email.default.html" . }}',
    }
    mail = Integration("email/0", "email", "email", settings, send_resolved=True)
    return Plan(
        route=Route(id="0", key="{}", receiver=CATCH_ALL, group_by=("alertname", "environment")),
        receivers={CATCH_ALL: Receiver(CATCH_ALL, (mail,))},
        catch_all=CATCH_ALL,
        origin="built in",
        sources={
            name: SourceSettings(name, name, {"type": proof, "token": INGEST_TOKEN}) for name, proof in _PROOFS.items()
        },
    )
