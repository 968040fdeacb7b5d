"""Stands for something that is still being loaded."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from model_server.errors import NotReadyError

__all__ = ["Deferred"]

T = TypeVar("T")

RETRY_AFTER_S = 1.0


class _Proxy:
    """Looks like the thing once it is there, and says "not yet" before."""

    def __init__(self, holder: Deferred[Any]) -> None:
        self._holder = holder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._holder.get(), name)


class Deferred(Generic[T]):
    """A place for something that comes later.

    Services are registered before the server starts, models are loaded after it
    answers health checks; :attr:`proxy` is what services are built with.
    """

    def __init__(self) -> None:
        self._value: T | None = None

    def set(self, value: T) -> None:
        """Puts the thing in its place."""
        self._value = value

    @property
    def ready(self) -> bool:
        """Whether it is there."""
        return self._value is not None

    def get(self) -> T:
        """The thing.

        Raises:
            NotReadyError: It is not there yet.
        """
        if self._value is None:
            raise NotReadyError(
                "the server is still loading its models: try again in a moment",
                retry_after_s=RETRY_AFTER_S,
            )
        return self._value

    @property
    def proxy(self) -> T:
        """An object whose every attribute is the thing's."""
        return cast("T", _Proxy(self))
