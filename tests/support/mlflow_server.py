"""MLflow's REST interface over MLflow's own store of files: its server is in no package that a training needs.

It answers what a client asks for to write a run: everything is kept and refused as the store has it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos import service_pb2 as asked
from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND, RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.file_store import FileStore
from mlflow.utils.proto_json_utils import message_to_json, parse_dict
from mlflow.utils.rest_utils import extract_api_info_for_service

_CALLS = {
    (path, method): message
    for message, (path, method) in extract_api_info_for_service(asked.MlflowService, "/api/2.0").items()
}


class MlflowServer:
    """Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the runs are kept: FileStore needs MLFLOW_ALLOW_FILE_STORE."""
        self._store = FileStore(str(folder), folder.as_uri())
        self._lock = threading.Lock()
        self.calls: list[str] = []
        """Names of the requests so far."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self.uri = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> MlflowServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, method: str, path: str, words: dict[str, Any]) -> tuple[int, str]:
        kind = _CALLS.get((path, method))
        name = kind.__name__ if kind else f"{method} {path}"
        with self._lock:
            self.calls.append(name)
            try:
                text = _answered(self._store, kind, name, words)
            except MlflowException as error:
                return error.get_http_status_code(), error.serialize_as_json()
        return 200, text


def _answered(store: FileStore, kind: Any, name: str, words: dict[str, Any]) -> str:
    if kind is None or name not in _ANSWERS:
        raise MlflowException(f"no answer to {name}", ENDPOINT_NOT_FOUND)
    message = kind()
    parse_dict(words, message)
    return str(message_to_json(kind.Response(**(_ANSWERS[name](store, message) or {}))))


def _experiment(store: FileStore, message: Any) -> dict[str, Any]:
    found = store.get_experiment_by_name(message.experiment_name)
    if found is None:
        raise MlflowException("there is none", RESOURCE_DOES_NOT_EXIST)
    return {"experiment": found.to_proto()}


def _created(store: FileStore, message: Any) -> dict[str, Any]:
    tags = [RunTag.from_proto(tag) for tag in message.tags]
    run = store.create_run(message.experiment_id, message.user_id, message.start_time, tags, message.run_name)
    return {"run": run.to_proto()}


def _updated(store: FileStore, message: Any) -> dict[str, Any]:
    ended = message.end_time if message.HasField("end_time") else None
    status = RunStatus.to_string(message.status)
    info = store.update_run_info(message.run_id, RunStatus.from_string(status), ended, message.run_name)
    return {"run_info": info.to_proto()}


def _batch(store: FileStore, message: Any) -> None:
    store.log_batch(
        message.run_id,
        [Metric.from_proto(metric) for metric in message.metrics],
        [Param.from_proto(param) for param in message.params],
        [RunTag.from_proto(tag) for tag in message.tags],
    )


_ANSWERS: dict[str, Callable[[FileStore, Any], dict[str, Any] | None]] = {
    "CreateExperiment": lambda store, message: {"experiment_id": store.create_experiment(message.name)},
    "GetExperimentByName": _experiment,
    "GetExperiment": lambda store, message: {
        "experiment": store.get_experiment(message.experiment_id).to_proto()
    },
    "CreateRun": _created,
    "GetRun": lambda store, message: {"run": store.get_run(message.run_id).to_proto()},
    "UpdateRun": _updated,
    "LogBatch": _batch,
    "SetTag": lambda store, message: store.set_tag(message.run_id, RunTag(message.key, message.value)),
}


def _handler(answer: Callable[[str, str, dict[str, Any]], tuple[int, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = urlsplit(self.path)
            words = json.loads(body) if body else dict(parse_qsl(target.query))
            code, text = answer(self.command, target.path, words)
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, *_: object) -> None:
            """Nothing: the log belongs to the test."""

    return Handler
