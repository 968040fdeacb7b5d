"""The server that a command talks to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from bots.console.embedded import embedded_server
from bots.console.errors import ConsoleError, ExitCode, from_client_error, no_server
from bots.console.output import stderr
from bots.core.client import LookalikeClient
from bots.core.errors import ClientError
from bots.core.settings import BotSettings

__all__ = ["connect"]

_LOADING_S = 180.0


@contextlib.asynccontextmanager
async def connect(server: str | None, *, embedded: bool) -> AsyncIterator[LookalikeClient]:
    """A client of a server that is ready; errors of calls become those of the console.

    Raises:
        ConsoleError: There is no such server, or a call went wrong.
    """
    if embedded and server:
        raise ConsoleError("Either --server or --embedded, not both.", code=ExitCode.USAGE)
    settings = BotSettings.load()
    async with contextlib.AsyncExitStack() as stack:
        if embedded:
            with stderr().status("Starting a private server …"):
                private = await stack.enter_async_context(embedded_server())
            client = LookalikeClient(
                private.address, deadline_s=settings.deadline_s, token=private.token
            )
            await stack.enter_async_context(client)
        else:
            if server:
                settings = settings.model_copy(update={"server": server})
            client = await stack.enter_async_context(_client(settings))
            await _wait_until_ready(client)
        try:
            yield client
        except ClientError as error:
            raise from_client_error(error, client.target) from error


def _client(settings: BotSettings) -> LookalikeClient:
    try:
        return LookalikeClient.from_settings(settings)
    except OSError as error:
        raise ConsoleError(
            f"{error.filename} cannot be read: {error.strerror}.",
            hint="Check LOOKALIKE_SERVER_CA and LOOKALIKE_SERVER_CLIENT_….",
            code=ExitCode.USAGE,
        ) from error


async def _wait_until_ready(client: LookalikeClient) -> None:
    """A server that is there but still loads its models is waited for."""
    if await client.is_serving():
        return
    end = time.monotonic() + _LOADING_S
    with stderr().status(f"The server at {client.target} is loading its models …") as status:
        while True:
            if not await client.is_serving(""):
                status.stop()
                raise no_server(client.target)
            if await client.is_serving():
                return
            if time.monotonic() > end:
                raise ConsoleError(
                    f"The server at {client.target} is not ready.",
                    hint="Its log says why.",
                    code=ExitCode.NO_SERVER,
                )
            await asyncio.sleep(0.2)
