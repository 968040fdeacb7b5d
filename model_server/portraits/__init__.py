"""Pictures of celebrities, from a chain of providers.

:func:`build_portraits` makes a :class:`PortraitChain`; its ``get`` always
answers with a :class:`Portrait`.
"""

from __future__ import annotations

from model_server.portraits.assembly import build_portraits
from model_server.portraits.chain import PortraitChain
from model_server.portraits.portrait import Portrait, PortraitSource

__all__ = ["Portrait", "PortraitChain", "PortraitSource", "build_portraits"]
