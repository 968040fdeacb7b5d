"""``lookalike`` and ``python -m bots.console``."""

from __future__ import annotations

import os

__all__ = ["main"]


def main() -> None:
    """Runs the command line; leaves with its exit code."""
    # gRPC's core writes to standard error by itself; our errors say it better.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from bots.console.app import app  # noqa: PLC0415 - imports gRPC, which reads that then

    app(prog_name="lookalike")


if __name__ == "__main__":
    main()
