"""The web page and the REST endpoints."""
