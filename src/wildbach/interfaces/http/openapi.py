"""The OpenAPI 3.1 document of the Api, made from the declarations of its operations."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

import wildbach
from wildbach.interfaces.api import models
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import Operation, operations
from wildbach.interfaces.http import logins, problems, rest

_TEMPLATE: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}
_JSON: Final = "application/json"


@cache
def document() -> bytes:
    """JSON, indented: it is kept in the documentation too."""
    return msgspec.json.format(msgspec.json.encode(described()), indent=2) + b"\n"


def described() -> dict[str, Any]:
    table = operations(Api)
    kinds = {
        kind for one in table.values() for kind in (one.payload_type, one.result)
        if isinstance(kind, type) and issubclass(kind, Struct)
    } | {problems.Problem, logins.Login, logins.Start, logins.Session}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_TEMPLATE)
    by_kind: dict[type, Any] = dict(zip(ordered, schemas, strict=True))
    _add_field_words(components)
    paths: dict[str, dict[str, Any]] = {}
    for one in table.values():
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_kind, components)
    for path, methods in _own_paths(by_kind).items():
        paths.setdefault(path, {}).update(methods)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wildbach", "version": wildbach.__version__,
            "description": _plain(inspect.getdoc(models)) + "\n\nErrors are problem documents (RFC 9457) with a stable "
            "`code`. `/push` is a WebSocket: docs/guide-api.md says what is spoken there.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}, {"basic": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {"Problem": {
                "description": "What is wrong; plain text for what is refused before it is looked at: names that are "
                "not this server's, other web pages, and what is no HTTP or too long.",
                "content": {
                    problems.CONTENT_TYPE: {"schema": by_kind[problems.Problem]},
                    "text/plain": {"schema": {"type": "string"}},
                },
            }},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key for programs, or the token of the "
                           "file api.token in the data directory."},
                "basic": {"type": "http", "scheme": "basic"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "wildbach", "description": "Set by `POST /login`; "
                           "its name has an end that differs by data directory."},
            },
        },
    }


def _operation(one: Operation, by_kind: dict[type, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name, "summary": one.doc.partition("\n\n")[0].replace("\n", " "), "tags": [_tag(one.path)],
        "x-role": one.role,
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True,
         "schema": {"type": "integer", "minimum": 0} if kind is int else {"type": "string", "minLength": 1}}
        for name, kind in one.parameters
    ]
    if one.in_query:
        schema = components[one.payload_type.__name__]
        required = schema.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": inner,
             **({"description": inner["description"]} if "description" in inner else {})}
            for name, inner in schema["properties"].items()
        ]
    elif one.payload:
        content: dict[str, Any] = {_JSON: {"schema": by_kind[one.payload_type]}}
        if one.payload_type is models.AddRequest:
            content[rest.TORRENT] = {"schema": {
                "type": "string", "format": "binary", "description": "One torrent file; the fields of AddRequest are "
                "then the query."}}
        if one.payload_type is models.PreviewRequest:
            content[rest.TORRENT] = {"schema": {
                "type": "string", "format": "binary", "description": "A torrent file."}}
        found["requestBody"] = {"required": True, "content": content}
    if parameters:
        found["parameters"] = parameters
    if one.result is None:
        answer: dict[str, Any] = {"204": {"description": "Done."}}
    elif one.result is bytes:
        answer = {"200": {"description": "The file.", "content": {
            one.content_type: {"schema": {"type": "string", "format": "binary"}}}}}
    else:
        answer = {"200": {"description": "As asked.", "content": {_JSON: {"schema": by_kind[one.result]}}}}
    found["responses"] = {**answer, "default": _PROBLEM}
    return found


def _own_paths(by_kind: dict[type, Any]) -> dict[str, dict[str, Any]]:
    """What is no operation of the Api."""
    def asked(name: str, summary: str, **more: Any) -> dict[str, Any]:
        return {"operationId": name, "summary": summary, "tags": ["session"], **more}

    def body(kind: type) -> dict[str, Any]:
        return {"required": True, "content": {_JSON: {"schema": by_kind[kind]}}}

    def given(kind: type) -> dict[str, Any]:
        content = {_JSON: {"schema": by_kind[kind]}}
        return {"200": {"description": "As asked.", "content": content}, "default": _PROBLEM}

    done = {"204": {"description": "Done."}, "default": _PROBLEM}
    stranger: dict[str, Any] = {"security": []}
    return {
        "/session": {"get": asked("session", "Who one is.", responses=given(logins.Session), **stranger)},
        "/login": {"post": asked(
            "login", "Log in; the answer sets a cookie.", requestBody=body(logins.Login), responses=done, **stranger)},
        "/logout": {"post": asked("logout", "End the login of the cookie.", responses=done)},
        "/start": {
            "get": asked("start_page", "The page of a start link: it posts the token that stands behind the `#`.",
                         responses={"200": {"description": "The page.", "content": {"text/html": {
                             "schema": {"type": "string"}}}}, "default": _PROBLEM}, **stranger),
            "post": asked("start", "Log in with the token of a start link; the answer sets a cookie.",
                          requestBody=body(logins.Start), responses=done, **stranger),
        },
        "/openapi.json": {"get": asked("openapi", "This document.", responses={
            "200": {"description": "This document.", "content": {_JSON: {"schema": {"type": "object"}}}},
            "default": _PROBLEM})},
        "/push": {"get": asked("push", "A WebSocket that tells what changes.", responses={
            "101": {"description": "A WebSocket."}, "426": {"description": "This is for WebSockets only."},
            "default": _PROBLEM})},
    }


def _tag(path: str) -> str:
    return path.split("/")[1]


def _add_field_words(components: dict[str, Any]) -> None:
    """The string under each field in the source is its description."""
    for node in ast.parse(inspect.getsource(models)).body:
        if not isinstance(node, ast.ClassDef) or node.name not in components:
            continue
        properties = components[node.name].get("properties", {})
        for field, below in pairwise(node.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    if name in properties:
                        properties[name] = {**properties[name], "description": " ".join(words.split())}


def _plain(text: str | None) -> str:
    return textwrap.dedent(text or "").strip()
