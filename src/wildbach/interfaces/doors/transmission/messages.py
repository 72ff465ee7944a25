"""Requests of both dialects, and the answers around what methods give.

A request is read in steps, each with its type, so nothing in it is deeper or larger than what a method takes: first
what it asks for, then each parameter when the method looks at it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.interfaces.doors.transmission import refusal
from wildbach.interfaces.doors.transmission.names import Dialect
from wildbach.interfaces.doors.transmission.refusal import Refusal

Parameters = dict[str, Raw]


class _Classic(Struct):
    method: Raw = Raw(b'""')
    arguments: Raw = Raw(b"null")
    tag: Raw = Raw(b"null")


class _Modern(Struct):
    jsonrpc: Raw = Raw(b"null")
    method: Raw = Raw(b"null")
    params: Raw = Raw(b"null")
    id: Raw | UnsetType = UNSET


class _Probe(Struct):
    jsonrpc: Raw | UnsetType = UNSET


_object = msgspec.json.Decoder(Parameters)
_array = msgspec.json.Decoder(list[Raw])
_probe = msgspec.json.Decoder(_Probe)
_classic = msgspec.json.Decoder(_Classic)
_modern = msgspec.json.Decoder(_Modern)
_text = msgspec.json.Decoder(str)
_ident = msgspec.json.Decoder(str | int | float | None)
_tag = msgspec.json.Decoder(int | float)


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that is asked for; `fault` is what is wrong with it already."""

    dialect: Dialect
    method: str
    parameters: Parameters
    id: bytes = b""
    "Of the answer, as it came: an id, or a tag of the classic dialect; empty for none."
    silent: bool = False
    "A notification: nothing is answered."
    fault: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What one HTTP request asks for."""

    calls: tuple[Call, ...]
    batch: bool = False


def read(body: bytes) -> Message:
    """Raises FormatError for what is no JSON, or has too much in it."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > limits.RPC_VALUES:
        raise FormatError(f"there are more than {limits.RPC_VALUES} values")
    try:
        if body.lstrip()[:1] == b"[":
            items = _array.decode(body)
            if len(items) > limits.RPC_BATCH:
                raise FormatError(f"there are more than {limits.RPC_BATCH} requests")
            if not items:
                return Message((_wrong("the batch is empty"),))
            return Message(tuple(_read_modern(item) for item in items), batch=True)
        if body.lstrip()[:1] != b"{":
            msgspec.json.decode(body, type=Raw)
            return Message((_wrong("request must be an Array or Object"),))
        if _probe.decode(body).jsonrpc is not UNSET:
            return Message((_read_modern(body),))
        return Message((_read_classic(body),))
    except msgspec.DecodeError as error:
        raise FormatError(str(error)) from None
    except (RecursionError, UnicodeDecodeError):
        raise FormatError("the request is nested too deep, or is no UTF-8") from None


def _wrong(text: str, ident: bytes = b"null") -> Call:
    return Call(Dialect.MODERN, "", {}, ident, fault=Refusal(refusal.INVALID_REQUEST, text))


def _read_classic(raw: bytes) -> Call:
    asked = _classic.decode(raw)
    tag = b""
    fault = None
    parameters: Parameters = {}
    with contextlib.suppress(msgspec.ValidationError):
        _tag.decode(asked.tag)
        tag = bytes(asked.tag)
    try:
        method = _text.decode(asked.method)
    except msgspec.ValidationError:
        method = ""
    if not method:
        fault = Refusal(refusal.METHOD_NOT_FOUND, "no method name")
    try:
        parameters = _parameters(asked.arguments)
    except msgspec.ValidationError:
        fault = fault or Refusal(refusal.INVALID_PARAMS, "arguments must be an Object")
    return Call(Dialect.CLASSIC, method, parameters, tag, fault=fault)


def _read_modern(raw: bytes | Raw) -> Call:
    try:
        asked = _modern.decode(raw)
    except msgspec.ValidationError:
        return _wrong("request must be an Object")
    ident = b"null"
    if asked.id is not UNSET:
        try:
            _ident.decode(asked.id)
            ident = bytes(asked.id)
        except msgspec.ValidationError:
            return _wrong("id type must be String, Number, or Null")
    try:
        version, method = _text.decode(asked.jsonrpc), _text.decode(asked.method)
    except msgspec.ValidationError:
        return _wrong("jsonrpc and method must be String", ident)
    if version != "2.0":
        return _wrong("JSON-RPC version is not 2.0", ident)
    fault = None
    parameters: Parameters = {}
    try:
        parameters = _parameters(asked.params)
    except msgspec.ValidationError:
        fault = Refusal(refusal.INVALID_PARAMS, "params must be an Object")
    return Call(Dialect.MODERN, method, parameters, ident, silent=asked.id is UNSET, fault=fault)


def _parameters(raw: Raw) -> Parameters:
    return {} if bytes(memoryview(raw)[:4]) == b"null" else _object.decode(raw)


def head(call: Call) -> tuple[bytes, bytes]:
    """What stands before and after what a method gives."""
    if call.dialect is Dialect.CLASSIC:
        tag = b',"tag":' + call.id if call.id else b""
        return b'{"arguments":', b',"result":"success"' + tag + b"}"
    return b'{"jsonrpc":"2.0","result":', b',"id":' + call.id + b"}"


def refused(call: Call, why: Refusal, facts: Any) -> bytes:
    """`facts` are those of the refusal, in the words of the dialect."""
    if call.dialect is Dialect.CLASSIC:
        told: dict[str, Any] = {"arguments": facts, "result": why.text}
        if call.id:
            told["tag"] = Raw(call.id)
        return msgspec.json.encode(told)
    data: dict[str, Any] = {}
    if why.text != refusal.MESSAGES[why.code]:
        data["error_string"] = why.text
    if facts:
        data["result"] = facts
    error: dict[str, Any] = {"code": why.code, "message": refusal.MESSAGES[why.code]}
    if data:
        error["data"] = data
    return msgspec.json.encode({"jsonrpc": "2.0", "error": error, "id": Raw(call.id)})
