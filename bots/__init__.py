"""The bots: thin clients of the model server."""
