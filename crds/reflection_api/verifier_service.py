"""Own verifiers over HTTP: paths, limits and shapes. The OpenAPI file is generated from this."""

from __future__ import annotations

from typing import Any

from .items import Item

VERIFY_PATH = "/v1/verify"
HEALTH_PATH = "/healthz"
MAX_ITEMS = 64
"""Items of a request."""
MAX_REASON = 64
"""Characters of a reason."""
REASON = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""A reason is a word: the report counts how often each was given."""

GOLD_COLUMN = "gold"
"""Column of a prompt row with a completion that is right, where there is one: audits put it to the verifier."""


def openapi() -> dict[str, Any]:
    """The OpenAPI document of an own verifier."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Verifier",
            "version": "1",
            "description": "Says of each completion whether it is right. The same item always gets the same verdict, whatever "
            "else is in the request. Completions are what a model wrote: hostile input. A bearer token is sent where the "
            "resource names one.",
        },
        "paths": {VERIFY_PATH: {"post": _verify()}, HEALTH_PATH: {"get": _health()}},
        "components": {"schemas": {"Item": _item(), "Verdict": _verdict()}},
    }


def _verify() -> dict[str, Any]:
    return {
        "operationId": "verify",
        "summary": "Judge completions",
        "requestBody": {"required": True, "content": _json(_list("items", "Item"))},
        "responses": {
            "200": {
                "description": "One verdict for every item, in any order.",
                "content": _json(_list("verdicts", "Verdict")),
            },
            "400": {"description": "The request or an item is not of this shape: never sent again."},
            "413": {"description": "The request is too large: sent again in halves."},
            "503": {"description": "Busy, starting or ending: sent again after a while."},
        },
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "health",
        "summary": "Whether it can judge now",
        "responses": {"200": {"description": "It can."}, "503": {"description": "Not yet."}},
    }


def _item() -> dict[str, Any]:
    fields = Item.model_fields
    role = {"type": "string", "enum": ["system", "user", "assistant"]}
    message = {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": role, "content": {"type": "string"}},
    }
    return {
        "type": "object",
        "required": ["id", "messages", "completion", "row"],
        "properties": {
            "id": {"type": "string", "description": fields["id"].description},
            "messages": {
                "type": "array",
                "items": message,
                "description": "The conversation that led to the completion.",
            },
            "completion": {"type": "string", "description": fields["completion"].description},
            "row": {"type": "object", "description": fields["row"].description},
        },
    }


def _verdict() -> dict[str, Any]:
    reason = {
        "type": "string",
        "maxLength": MAX_REASON,
        "pattern": REASON,
        "description": "A word for the kind of wrong, from a list of your own with at most 20 words. Of no use where the "
        "completion is right.",
    }
    return {
        "type": "object",
        "required": ["id", "correct", "reason"],
        "properties": {
            "id": {"type": "string", "description": "The item's."},
            "correct": {"type": "boolean"},
            "reason": reason,
        },
    }


def _list(name: str, kind: str) -> dict[str, Any]:
    entries = {
        "type": "array",
        "maxItems": MAX_ITEMS,
        "items": {"$ref": f"#/components/schemas/{kind}"},
    }
    return {"type": "object", "required": [name], "properties": {name: entries}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
