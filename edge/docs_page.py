"""/docs: the OpenAPI document as one plain page, without a script and without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from edge.problems import kinds

# The document is JSON that we made ourselves; its shape is OpenAPI's.
Json = Mapping[str, Any]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; background: #f4f4f4; border-radius: 3px; }
code { padding: .1em .3em; } pre { padding: .7em; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .3em .6em; border: 1px solid #ddd; }
summary { cursor: pointer; }
"""


def docs_page(document: Json) -> str:
    """The page, as HTML."""
    info = document["info"]
    operations = [
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    contents = "".join(
        f'<li><a href="#{escape(operation["operationId"])}">'
        f"<code>{method.upper()} {escape(path)}</code></a> {escape(operation['summary'])}</li>"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['summary'])} {_prose(info['description'])}</p>"
        "<p>Every call but the operations needs the header <code>X-Api-Key</code>. "
        'For programs: <a href="openapi.json">openapi.json</a>.</p>'
        f'<ul>{contents}<li><a href="#errors">Errors</a></li></ul>'
        f"{''.join(operations)}{_problems()}</body></html>"
    )


def _problems() -> str:
    """What each code means; the `type` of a problem leads here."""
    rows = "".join(
        f'<tr id="{kind.code}"><td>{kind.status}</td><td><code>{kind.code}</code></td>'
        f"<td>{escape(kind.title)}. {escape(kind.detail)}</td></tr>"
        for kind in kinds()
    )
    return (
        '<h2 id="errors">Errors</h2><p>Errors are <code>application/problem+json</code>; '
        "<code>code</code> is stable, <code>detail</code> says what to do.</p>"
        f"<table><tr><th>status</th><th>code</th><th>what</th></tr>{rows}</table>"
    )


def _operation(method: str, path: str, operation: Json, document: Json) -> str:
    rows = "".join(_rows(operation))
    fields = (
        f"<table><tr><th>name</th><th>where</th><th>what</th></tr>{rows}</table>" if rows else ""
    )
    return (
        f'<h2 id="{escape(operation["operationId"])}"><code>{method.upper()} {escape(path)}</code>'
        f" {escape(operation['summary'])}</h2>"
        f"<p>{_prose(operation.get('description', ''))}</p>{fields}"
        f"<pre>{escape(_curl(method, path, operation))}</pre>"
        f"{''.join(_answers(operation, document))}"
    )


def _rows(operation: Json) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        yield _row(
            parameter["name"],
            parameter["in"],
            parameter["schema"],
            parameter.get("description", ""),
            is_required=parameter.get("required", False),
        )
    body = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if body is not None:
        required = body["schema"].get("required", ())
        for name, schema in body["schema"]["properties"].items():
            yield _row(
                name, "form", schema, schema.get("description", ""), is_required=name in required
            )


def _row(name: str, where: str, schema: Json, description: str, *, is_required: bool) -> str:
    limits = {
        key: value
        for key, value in schema.items()
        if key in {"type", "default", "minimum", "maximum", "maxLength", "enum"}
    }
    details = ", ".join(f"{key} {json.dumps(value)}" for key, value in limits.items())
    return (
        f"<tr><td><code>{escape(name)}</code>{' (required)' if is_required else ''}</td>"
        f"<td>{escape(where)}</td>"
        f"<td>{_prose(description)} <small>{escape(details)}</small></td></tr>"
    )


def _curl(method: str, path: str, operation: Json) -> str:
    words = ["curl", f'"$URL{path.replace("{photo_id}", "IMG_0001")}"']
    if method != "get":
        words[1:1] = ["-X", method.upper()]
    if "security" in operation:
        words += ["-H", '"X-Api-Key: $KEY"']
    body = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if body is not None:
        examples = {
            "image": "@photo.jpg",
            "photo_id": "IMG_0001",
            "collection_id": "wedding",
            "top_k": "10",
            "bbox": "812,501,320,411",
        }
        for name in body["schema"]["properties"]:
            if name in examples:
                words += ["-F", f"{name}={examples[name]}"]
    return " ".join(words)


def _answers(operation: Json, document: Json) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        shown = [
            f"<pre>{escape(json.dumps(example['value'], indent=2, ensure_ascii=False))}</pre>"
            for content in answer.get("content", {}).values()
            for example in content.get("examples", {}).values()
        ]
        for content in answer.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name and not shown:
                fields = document["components"]["schemas"][name]
                shown.append(f"<pre>{escape(_shape(fields))}</pre>")
        yield (
            f"<details><summary><code>{escape(str(status))}</code> "
            f"{_prose(answer['description'])}</summary>{''.join(shown)}</details>"
        )


def _shape(schema: Json) -> str:
    return "\n".join(
        f"{name}: {_type(part)}" + (f"  — {part['description']}" if "description" in part else "")
        for name, part in schema.get("properties", {}).items()
    )


def _type(part: Json) -> str:
    if "anyOf" in part:
        return " or ".join(_type(choice) for choice in part["anyOf"])
    return str(part.get("type") or part.get("$ref", "").rpartition("/")[2] or part.get("const", ""))


def _prose(text: str) -> str:
    """Text with `code` in backticks."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts)
    )
