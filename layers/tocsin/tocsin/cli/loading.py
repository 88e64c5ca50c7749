"""How commands take a config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tocsin.bootstrap.configs import load_config
from tocsin.config.loader import Loaded
from tocsin.errors import ConfigError


def load_or_complain(path: str | Path) -> Loaded | None:
    """Load a config for a command that needs it; problems go to standard error, and None comes back."""
    try:
        return load_config(path)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return None


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``; amtool's name for it, ``--config.file``, does as well."""
    parser.add_argument(
        "--config",
        "--config.file",
        dest="config",
        metavar="FILE",
        required=True,
        help="an alertmanager.yml or a tocsin.yml",
    )
