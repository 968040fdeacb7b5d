"""What happens around every call: identity, places, errors, log lines, metrics."""
