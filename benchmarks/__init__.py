"""Figures of the README, printed by hand: ``python -m benchmarks.serving`` and the like."""
