"""The stages: ports in, nothing global. Each rule of the state has one home here (docs/architecture.md)."""
