"""The engines: adapters behind the ports of state, queues, secrets, clock, telemetry and announcements."""
