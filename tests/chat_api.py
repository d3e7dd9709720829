"""A remote API on loopback that answers as paid services do: keys, names, limits, refusals.

vLLM's own server stands in the engines' contract; what only such services do is here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "k-1"


@dataclass
class Api:
    """What the service does, and what it was asked."""

    address: str = ""
    models: tuple[str, ...] = ("large", "small")
    newer: bool = False  # knows the limit by its newer name alone
    failures: int = 0  # requests that it answers with 503 first
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running(**what: Any) -> Iterator[Api]:
    """Serve on a free port of loopback."""
    api = Api(**what)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    api.address = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = [
                {"id": name, "object": "model", "created": 0, "owned_by": "them"}
                for name in api.models
            ]
            self.answer(200, {"object": "list", "data": listed})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.asked.append(asked)
            if api.failures:
                api.failures -= 1
                self.answer(503, {"error": {"message": "try again"}})
            elif api.newer and "max_tokens" in asked:
                told = "'max_tokens' is not supported; use 'max_completion_tokens' instead"
                self.answer(400, {"error": {"message": told}})
            else:
                self.answer(200, reply(asked))

        def answer(self, status: int, content: dict[str, Any]) -> None:
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                status, content = 401, {"error": {"message": "Incorrect API key"}}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def reply(asked: dict[str, Any]) -> dict[str, Any]:
    """The last message, and the seed; a message "long" is cut."""
    said = asked["messages"][-1]["content"]
    reason = "length" if said == "long" else "stop"
    message = {"role": "assistant", "content": f"{said} {asked['seed']}"}
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }  # fmt: skip
