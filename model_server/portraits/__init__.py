"""Pictures of celebrities, from a chain of providers."""
