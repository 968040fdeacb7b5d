"""Starts the model server and the bots together, and stops them in order."""
