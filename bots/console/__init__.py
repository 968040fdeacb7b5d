"""The terminal client, ``lookalike``.

``describe``, ``compare`` and ``card`` ask the model server about photos, ``celebrities``
manages its gallery, ``doctor`` says what is missing. A command is a file; the rest:

    connection   the server meant: a running one, or a private one (embedded)
    runner       from typer's world into asyncio and back, with exit codes
    photos       from arguments to files to bytes
    render       an answer as text, terminal: as a picture, jsonout: as JSON
"""
