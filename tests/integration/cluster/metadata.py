"""Metaflow's metadata service, in memory: without one, pods cannot save their cards."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "2.5.0"  # of the service whose calls are answered
KEYS = ("flow_id", "run_number", "step_name", "task_id")
PARENT = re.compile(r"(?P<parent>/flows/.*)/(?P<kind>run|step|task)")
ROWS = re.compile(r"(?P<task>/flows/.*/tasks/[^/]+)/(?P<kind>artifact|metadata)")
ATTEMPT = re.compile(r"(?P<task>.*/tasks/[^/]+)/attempt/(?P<attempt>\d+)/artifacts")


class MetadataService:
    """Objects by their path, and the rows of each task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._objects: dict[str, dict[str, Any]] = {}
        self._children: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.service = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def post(self, path: str, body: Any) -> Any:
        """Create an object, or add rows to a task."""
        with self._lock:
            if match := ROWS.fullmatch(path):
                self._add(match["task"], match["kind"], body)
                return {}
            if match := PARENT.fullmatch(path):
                # a step is created under its own path, a run and a task under what holds them
                above = match["parent"].removesuffix(f"/steps/{body.get('step_name')}")
                parent = above if match["kind"] == "step" else match["parent"]
                return self._create(parent, match["kind"], body)
            if re.fullmatch("/flows/[^/]+", path):
                return self._keep(path, "/flows", {**body, "flow_id": path.split("/")[-1]})
            return {} if path.endswith("/heartbeat") else None

    def get(self, path: str) -> Any:
        """An object, a list of them, or None."""
        with self._lock:
            if match := ATTEMPT.fullmatch(path):
                rows = self._children.get(f"{match['task']}/artifacts", [])
                return [row for row in rows if row["attempt_id"] == int(match["attempt"])]
            if path in self._objects:
                return self._objects[path]
            return self._children.get(path)

    def _add(self, task: str, kind: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if kind == "metadata":
                self._children[f"{task}/metadata"].append({**row, "id": next(self._numbers)})
                continue
            # the newest attempt's, as the service answers where none is named
            stored = {**row, "ts_epoch": _now()}
            self._objects[f"{task}/artifacts/{row['name']}"] = stored
            self._objects[f"{task}/artifacts/{row['name']}/attempt/{row['attempt_id']}"] = stored
            self._children[f"{task}/artifacts"].append(stored)

    def _create(self, parent: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        known = {key: self._objects[parent].get(key) for key in KEYS}
        name = {"run": "run_number", "step": "step_name", "task": "task_id"}[kind]
        given = body.get(name) or str(next(self._numbers))
        values = {**known, **body, name: given}
        return self._keep(f"{parent}/{kind}s/{given}", f"{parent}/{kind}s", values)

    def _keep(self, path: str, folder: str, values: dict[str, Any]) -> dict[str, Any]:
        if path not in self._objects:
            self._objects[path] = {**values, "ts_epoch": _now()}
            self._children[folder].insert(0, self._objects[path])  # newest first
        return self._objects[path]


def _now() -> int:
    return round(time.time() * 1000)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        service = self.server.service  # type: ignore[attr-defined]
        self._reply({} if path == "/ping" else service.get(path))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        self._reply(self.server.service.post(self.path, body))  # type: ignore[attr-defined]

    def _reply(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(404 if value is None else 200)
        self.send_header("METADATA_SERVICE_VERSION", VERSION)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
