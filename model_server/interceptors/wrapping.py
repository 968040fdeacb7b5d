"""One way to wrap gRPC handlers, whatever their arity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc

__all__ = ["AroundCall", "AroundInterceptor", "Context", "Continuation", "Handler"]

Context = grpc.aio.ServicerContext[Any, Any]
# In quotes: the class takes no parameters when it runs, only where types are checked.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"
"""What an interceptor asks for the handler of a call."""

AroundCall = Callable[[str, Any, Context], AbstractAsyncContextManager[None]]
"""Method name, request (None where it is a stream) and context to what surrounds the call."""

EXEMPT = ("/grpc.health.v1.Health/",)
"""Health answers always: no token, no limit, no log line."""


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds every call but health checks with an async context manager."""

    def __init__(self, around: AroundCall) -> None:
        self._around = around

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wraps the handler that the call is for."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(EXEMPT):
            return handler
        return _wrap(handler, method, self._around)


def _wrap(
    handler: grpc.RpcMethodHandler[Any, Any], method: str, around: AroundCall
) -> grpc.RpcMethodHandler[Any, Any]:
    codec: dict[str, Any] = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.response_streaming:
        # The stubs describe the synchronous server's handlers; these are coroutines.
        stream: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            async with around(method, None if handler.request_streaming else request, context):
                async for response in stream(request, context):
                    yield response

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(streaming, **codec)
        return grpc.unary_stream_rpc_method_handler(streaming, **codec)

    unary: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

    async def single(request: Any, context: Context) -> Any:
        async with around(method, None if handler.request_streaming else request, context):
            return await unary(request, context)

    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(single, **codec)
    return grpc.unary_unary_rpc_method_handler(single, **codec)
