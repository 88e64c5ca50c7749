"""``make bench``: print what was measured, ratios beside Alertmanager; ``--write`` puts it into docs/performance.md."""

from __future__ import annotations

import argparse
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import calls, cold
from bench.routers import Load, cpu_per_alert, idle_latency

DOCS = Path("docs/performance.md")
BEGIN = "<!-- measured: written by make bench BENCH_FLAGS=--write -->"


def table(title: str, found: dict[str, dict[str, float]], *, ratio: bool = True) -> list[str]:
    """Write a Markdown table; with two peers, their ratio."""
    columns = list(next(iter(found.values())))
    lines = [f"### {title}", "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{row[c]:.3g}" for c in columns) + " |" for name, row in found.items()]
    if ratio and len(found) > 1:
        ours, theirs = found.values()
        lines.append(
            "| ratio | " + " | ".join(f"{ours[c] / theirs[c]:.2f}" if theirs[c] else "" for c in columns) + " |"
        )
    return [*lines, ""]


def main() -> None:
    """Run everything once, in a few minutes."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--alerts", type=int, default=10_000, help="alerts of each load; default %(default)s")
    parser.add_argument("--write", action="store_true", help="put the result into docs/performance.md")
    args = parser.parse_args()
    lines = [f"Measured {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}.", ""]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        grouped, single = Load(args.alerts, 50, "alertname"), Load(args.alerts, args.alerts, "instance")
        lines += table(f"{args.alerts} alerts in 50 groups", cpu_per_alert(grouped, base / "grouped"))
        lines += table(f"{args.alerts} alerts, one notification each", cpu_per_alert(single, base / "single"))
        lines += table("Idle: one alert at a time, to a webhook", idle_latency(base / "idle"))
    doors = cold.imports()
    if doors:
        lines += table("Cold import of the built handlers", doors, ratio=False)
    else:
        lines += ["Cold imports were not measured: run make build first (it needs a Python 3.13).", ""]
    lines += table("Calls to AWS", calls.counted(), ratio=False)
    text = "\n".join(lines)
    print(text)
    if args.write:
        head = DOCS.read_text(encoding="utf-8").partition(BEGIN)[0]
        DOCS.write_text(f"{head}{BEGIN}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
