"""One script per bundle that we ship, and a tiny one that runs the whole chain."""
