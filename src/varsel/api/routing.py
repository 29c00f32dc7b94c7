"""Lead each request to its endpoint, and each error to its answer.

Three steps in one function, in place of a framework's router and middlewares, which cost as much as all else that a
request costs in this process (ADR 13). Requests and responses are Starlette's.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from varsel.api.problems import empty

Endpoint = Callable[[Request], Awaitable[Response]]
ErrorAnswer = Callable[[Request, Exception], Response]

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Resource:
    """One path with an endpoint for each method."""

    path: str  # with parameters in braces, each one segment
    endpoints: Mapping[str, Endpoint]
    pattern: re.Pattern[str]


def resource(path: str, **endpoints: Endpoint) -> Resource:
    """One path with an endpoint for each method; any letter case, with or without a slash at the end.

    HEAD is not among them unless given: the contract answers it with 405.
    """
    pattern = _PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
    return Resource(path, endpoints, re.compile(f"{pattern}/?", re.IGNORECASE))


class Application:
    """An ASGI application; `context` is what endpoints find as `request.scope["context"]`."""

    def __init__(
        self, context: object, resources: Sequence[Resource], answers: Mapping[type[Exception], ErrorAnswer]
    ) -> None:
        self._context = context
        self._resources = resources
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Once an answer has begun, an error can only end the connection: the server does."""
        request = Request(scope, receive, send)
        scope["context"] = self._context
        try:
            response = await self._endpoint(scope)(request)
        except Exception as error:
            response = self._answer_to(error)(request, error)
        await response(scope, receive, send)

    def _endpoint(self, scope: Scope) -> Endpoint:
        """First match wins; a path that matches with another method only counts where none has the method."""
        allowed: Mapping[str, Endpoint] | None = None
        for candidate in self._resources:
            match = candidate.pattern.fullmatch(scope["path"])
            if match is None:
                continue
            endpoint = candidate.endpoints.get(scope["method"])
            if endpoint is not None:
                scope["path_params"], scope["route"] = match.groupdict(), candidate.path
                return endpoint
            allowed = allowed or candidate.endpoints
        return _not_found if allowed is None else _not_allowed(allowed)

    def _answer_to(self, error: Exception) -> ErrorAnswer:
        return next(self._answers[kind] for kind in type(error).__mro__ if kind in self._answers)


async def _not_found(request: Request) -> Response:
    return empty(404)


def _not_allowed(allowed: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return empty(405, Allow=", ".join(allowed))

    return endpoint
