"""What happens around every call: identity, errors, log lines, metrics."""
