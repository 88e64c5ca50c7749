"""A receiver of Alertmanager's webhook, of the most obliging kind."""

from __future__ import annotations

from typing import Any

from tocsin.loopback.http import HttpVendor, Request, Response


class WebhookVendor(HttpVendor):
    """Takes every JSON body; ``bodies`` holds them, ``deliveries`` the ids they came under."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.bodies: list[Any] = []
        self.deliveries: list[str] = []

    def answer(self, request: Request) -> Response:
        """Keep the body."""
        try:
            body = request.json()
        except ValueError:
            return Response(400, "that is not JSON")
        self.bodies.append(body)
        self.deliveries.append(request.headers.get("x-tocsin-delivery", ""))
        return Response(200, "ok")
