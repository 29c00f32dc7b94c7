"""Serve the document, and the page to read and try it on: Swagger UI, which is shipped with the package.

The page loads nothing from anywhere else, and its content security policy lets it speak with no other origin.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from varsel.api.desk import desk_of
from varsel.api.openapi.document import encoded_document
from varsel.api.problems import empty

_STATIC = files("varsel.api") / "static"
# By the name in the path. Only these are served, so no path leads anywhere else.
_FILES = {
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "favicon.png": ("swagger-ui/favicon-32x32.png", "image/png"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_AS_IT_IS = {"X-Content-Type-Options": "nosniff"}
_FOR_PAGES = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
# The page names each file with a digest of its content, so what a browser has kept is never stale.
_FOR_FILES = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the page."""

    content: bytes
    media_type: str
    digest: str


async def get_document(request: Request) -> Response:
    """`GET /openapi.json`."""
    settings = desk_of(request).settings
    content = encoded_document(settings.base_url, settings.dev)
    return Response(content, headers=_AS_IT_IS | {"Cache-Control": "no-cache"}, media_type="application/json")


async def get_page(request: Request) -> Response:
    """`GET /docs`."""
    # A proxy may serve us below a path of its own, and only the public URL knows it.
    root = escape(urlsplit(desk_of(request).settings.base_url).path)
    return HTMLResponse(_page(root), headers=_AS_IT_IS | _FOR_PAGES)


async def get_page_file(request: Request) -> Response:
    """`GET /docs/{file}`: one of the page's files."""
    name = request.path_params["file"]
    if name not in _FILES:
        return empty(404)
    file = _static_file(name)
    return Response(file.content, headers=_AS_IT_IS | _FOR_FILES, media_type=file.media_type)


@cache
def _static_file(name: str) -> StaticFile:
    path, media_type = _FILES[name]
    content = (_STATIC / path).read_bytes()
    return StaticFile(content, media_type, sha256(content).hexdigest()[:16])


@cache
def _page(root: str) -> str:
    def url(name: str) -> str:
        return f"{root}/docs/{name}?{_static_file(name).digest}"

    return Template((_STATIC / "page.html").read_text(encoding="utf-8")).substitute(
        document=f"{root}/openapi.json",
        favicon=url("favicon.png"),
        viewer_css=url("swagger-ui.css"),
        viewer_js=url("swagger-ui-bundle.js"),
        page_css=url("page.css"),
        page_js=url("page.js"),
    )
