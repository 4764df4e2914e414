"""What `cors_allowed_origins` means, as upstream, in the engine's options.

None: the own origin, also as a proxy's `X-Forwarded-Proto` and `-Host` name it. `'*'`, or a list with it: every origin, echoed.
`[]`: no check, no CORS headers. A str or a list: these alone. A callable `(origin, environ)` or `(origin)` is asked with each handshake.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

__all__ = ["Origins", "check_of", "option"]

Origins = Union[None, str, Sequence[str], Callable[..., bool]]


def option(origins: Origins) -> Union[None, str, list[str]]:
    """The engine's option `cors`."""
    if origins is None:
        return None
    if callable(origins):
        return "ask"
    if isinstance(origins, str):
        return "*" if origins == "*" else [origins]
    origins = list(origins)
    if not origins:
        return "off"
    return "*" if "*" in origins else origins


def check_of(origins: Origins) -> Optional[Callable[[str, dict[str, Any]], bool]]:
    """The check that a callable is, of an origin and an environ; None for all else."""
    if not callable(origins):
        return None
    try:
        inspect.signature(origins).bind("", {})
    except TypeError:
        return lambda origin, environ: bool(origins(origin))
    except ValueError:
        pass
    return lambda origin, environ: bool(origins(origin, environ))
