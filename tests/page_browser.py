"""Chromium without a window, driven by its own DevTools protocol; notes what the console says."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import websocket

SECONDS = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip
KEYS = {"Enter": "\r", "ArrowRight": "", "ArrowLeft": "", "Tab": "\t"}


class Browser:
    """One page of one browser, in a profile of its own."""

    def __enter__(self) -> Self:
        program = shutil.which("chromium")
        assert program, "chromium is not installed: web/install-chromium.sh"
        self._profile = tempfile.mkdtemp(prefix="rasft-chromium-")
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port()
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            page = next(each for each in json.load(answer) if each["type"] == "page")
        self._socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=SECONDS)
        self._number = 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, path: Path, address: str = "") -> None:
        """Load a file from the disk."""
        self.call("Page.navigate", url=path.resolve().as_uri() + address)

    def visit(self, address: str) -> None:
        """Another address of the same page."""
        self.run(f"location.hash = {json.dumps(address)}")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command; what the console says meanwhile is noted."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return dict(message["result"])
            self._note(message)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, selector: str, text: str = "") -> None:
        """Until an element is there that holds the text."""
        wanted = (
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            f".some((e) => e.textContent.includes({json.dumps(text)}))"
        )
        self.wait_for(wanted)

    def wait_for(self, expression: str) -> None:
        """Until an expression holds."""
        deadline = time.monotonic() + SECONDS
        while not self.run(expression):
            assert time.monotonic() < deadline, f"{expression} never came: {self.errors}"
            time.sleep(0.02)

    def click(self, selector: str, text: str = "") -> None:
        """Click the first element of this selector that holds the text."""
        self.wait(selector, text)
        self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})]"
            f".find((e) => e.textContent.includes({json.dumps(text)})).click()"
        )

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of this selector."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)"
        return list(self.run(found))

    def choose(self, label: str, value: str) -> None:
        """Choose an option of the select whose label begins so."""
        self.run(
            "(() => { const s = [...document.querySelectorAll('label.choice')]"
            f".find((e) => e.textContent.startsWith({json.dumps(label)})).querySelector('select');"
            f"s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')); }})()"
        )

    def press(self, key: str) -> None:
        """Press and let go of a key."""
        text = {"text": KEYS[key]} if KEYS.get(key) == "\r" else {}
        codes = {"Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "Tab": 9}
        facts = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **facts, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def look(self, width: int, dark: bool = False) -> None:
        """A window of this width, in light or dark."""
        mobile = width < 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=mobile,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> Path:
        """A screenshot of the window."""
        shot = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(shot))
        return path

    def first_paint(self) -> float:
        """Seconds from the start of the navigation to the first contentful paint."""
        paint = "performance.getEntriesByName('first-contentful-paint')[0]"
        self.wait_for(f"!!{paint}")
        return float(self.run(f"{paint}.startTime")) / 1000

    def _port(self) -> str:
        deadline, path = time.monotonic() + SECONDS, Path(self._profile, "DevToolsActivePort")
        while not (path.is_file() and path.read_text().strip()):
            assert time.monotonic() < deadline, "chromium did not start"
            assert self._process.poll() is None, f"chromium ended: {self._process.returncode}"
            time.sleep(0.05)
        return path.read_text().split()[0]

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.errors.append(str([each.get("value") for each in told["args"]]))
        elif method == "Network.requestWillBeSent":
            address = told["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:", "about:")):
                self.errors.append(f"asked for {address}")
