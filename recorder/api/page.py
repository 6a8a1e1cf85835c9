"""``/docs``: the API's description as a page that needs nothing from elsewhere, not even scripts.

Written out of ``/openapi.json``, which programs read.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from recorder.api.described import operations
from recorder.api.routing import Routes

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
summary{cursor:pointer}code,pre{font:13px/1.4 ui-monospace,monospace}
pre{background:#8881;padding:.6rem;overflow:auto}table{border-collapse:collapse;width:100%}
table{margin:.6rem 0 1.2rem}caption{text-align:left;font-weight:600;padding:.2rem 0}
td{border-top:1px solid #8884;padding:.2rem .6rem .2rem 0;vertical-align:top}
td:first-child{white-space:nowrap}td:nth-child(3){min-width:35%}
.m{display:inline-block;width:4.5rem;font-weight:600}.s{color:#777;margin-left:.4rem}
summary{padding:.1rem 0}:root{color-scheme:light dark}
"""


router = Routes()


@router.get("/docs", response_class=HTMLResponse)
async def page(request: Request) -> HTMLResponse:
    """Answer with the description of the application that was asked."""
    text = render(request.app.openapi())
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})


def render(document: dict[str, Any]) -> str:
    """Write the page."""
    by_tag: dict[str, list[str]] = {one["name"]: [] for one in document["tags"]}
    for path, method, operation in operations(document):
        by_tag[operation["tags"][0]].append(_operation(path, method, operation))
    said = {one["name"]: one["description"] for one in document["tags"]}
    parts = [
        f"<h2>{escape(tag)}</h2><p>{escape(said[tag])}</p>{''.join(found)}"
        for tag, found in by_tag.items()
    ]
    types = (_type(name, one) for name, one in document["components"]["schemas"].items())
    info = document["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}'
        f'</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} Programs read <a href='openapi.json'>openapi.json</a>."
        f"</p>{''.join(parts)}<h2>Types</h2>{''.join(types)}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    asked = [
        (
            one["name"],
            one["in"] + (", required" if one.get("required") else ""),
            one.get("description", ""),
            _kind(one["schema"]),
        )
        for one in operation.get("parameters", ())
    ]
    answers = [
        (
            status,
            ", ".join(one.get("content", {})),
            one["description"],
            _kinds(one.get("content", {})) + (f"; header {', '.join(heads)}" if heads else ""),
        )
        for status, one in operation["responses"].items()
        for heads in [one.get("headers", {})]
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if body:
        asked.append(("", "body", body["schema"].get("description", ""), _kind(body["schema"])))
    first, _, more = operation["description"].partition("\n\n")
    title = (
        f'<span class="m">{method.upper()}</span><code>{escape(path)}</code> '
        f'<span class="s">{_line(first)}</span>'
    )
    return (
        f'<details id="{operation["operationId"]}"><summary>{title}</summary>'
        f"{_prose(more)}{_table(asked, 'Asked with')}{_table(answers, 'Answered with')}</details>"
    )


def _prose(text: str) -> str:
    """Write text in paragraphs."""
    return "".join(f"<p>{_line(one)}</p>" for one in text.split("\n\n") if one)


def _line(text: str) -> str:
    """Write text in which names of fields stand in double backticks."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", escape(text))


def _type(name: str, schema: dict[str, Any]) -> str:
    rows = [
        (key, _kind(one), one.get("description", ""), "")
        for key, one in schema.get("properties", {}).items()
    ]
    said = _prose(schema.get("description", ""))
    return f'<details id="{name}"><summary>{name}</summary>{said}{_table(rows)}</details>'


def _table(rows: list[tuple[str, str, str, str]], title: str = "") -> str:
    head = f"<caption>{title}</caption>" if title else ""
    cells = ("".join(f"<td>{_broken(_line(one))}</td>" for one in row) for row in rows)
    return f"<table>{head}{''.join(f'<tr>{row}</tr>' for row in cells)}</table>" if rows else ""


def _broken(html: str) -> str:
    """Let lines end after a slash of the text: names of media types are long."""
    return re.sub(r"(?<!<)/", "/<wbr>", html)


def _kinds(content: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(_kind(one["schema"]) for one in content.values()))


def _kind(schema: dict[str, Any]) -> str:
    """Name the kind of a value in few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and schema.get("properties"):
        return ", ".join(schema["properties"])
    return str(schema.get("type", "anything"))
