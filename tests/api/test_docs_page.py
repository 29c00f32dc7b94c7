"""The page to read and try the API on: everything it needs comes from us, and nothing else can."""

import re
from hashlib import sha256
from importlib.resources import files

import httpx2
import pytest

from varsel.settings import Settings

SWAGGER_UI = files("varsel.api") / "static" / "swagger-ui"


@pytest.fixture
def public_url() -> str:
    return "http://varsel.test"


@pytest.fixture
def settings(settings: Settings, public_url: str) -> Settings:
    return settings.model_copy(update={"public_url": public_url})


def urls_in(page: httpx2.Response) -> list[str]:
    return re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
async def test_the_page_and_all_that_it_loads_come_from_us(anonymous: httpx2.AsyncClient, path: str) -> None:
    page = await anonymous.get(path)

    loaded = {url: await anonymous.get(url) for url in urls_in(page)}
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert {answer.status_code for answer in loaded.values()} == {200}
    assert {url.partition("?")[0]: answer.headers["Content-Type"] for url, answer in loaded.items()} == {
        "/docs/favicon.png": "image/png",
        "/docs/page.css": "text/css; charset=utf-8",
        "/docs/page.js": "text/javascript; charset=utf-8",
        "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "/docs/swagger-ui.css": "text/css; charset=utf-8",
        "/openapi.json": "application/json",
    }


async def test_the_page_may_speak_with_no_other_origin(anonymous: httpx2.AsyncClient) -> None:
    policy = (await anonymous.get("/docs")).headers["Content-Security-Policy"]

    directives = dict(directive.split(maxsplit=1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert {source for sources in directives.values() for source in sources.split()} == {"'none'", "'self'", "data:"}
    assert [name for name, sources in directives.items() if "data:" in sources] == ["img-src"]


async def test_a_file_may_be_kept_since_its_url_changes_with_its_content(anonymous: httpx2.AsyncClient) -> None:
    urls = [url for url in urls_in(await anonymous.get("/docs")) if url != "/openapi.json"]

    for url in urls:
        answer = await anonymous.get(url)
        assert "immutable" in answer.headers["Cache-Control"]
        assert sha256(answer.content).hexdigest().startswith(url.partition("?")[2])
    assert "no-cache" in (await anonymous.get("/docs")).headers["Cache-Control"]
    assert "no-cache" in (await anonymous.get("/openapi.json")).headers["Cache-Control"]


@pytest.mark.parametrize("name", ["page.html", "README.md", "LICENSE", "..%2Fwire.py", "swagger-ui%2FLICENSE", "x"])
async def test_only_the_files_of_the_page_are_served(anonymous: httpx2.AsyncClient, name: str) -> None:
    answer = await anonymous.get(f"/docs/{name}")

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("public_url", ["https://etaten.no/varsel"])
async def test_behind_a_proxy_the_page_asks_below_the_public_path(anonymous: httpx2.AsyncClient) -> None:
    urls = urls_in(await anonymous.get("/docs"))

    assert urls
    assert [url for url in urls if not url.startswith(("/varsel/docs/", "/varsel/openapi.json"))] == []


def test_the_viewer_is_the_one_that_was_published() -> None:
    lines = [line.split() for line in (SWAGGER_UI / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}

    assert {name: sha256((SWAGGER_UI / name).read_bytes()).hexdigest() for name in sums} == sums
    assert {file.name for file in SWAGGER_UI.iterdir()} == {*sums, "SHA256SUMS", "README.md"}
    assert {"LICENSE", "NOTICE"} < sums.keys()
