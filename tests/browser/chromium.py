"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_DEADLINE_S = 30


class Page:
    """One open page. ``complaints`` holds what its console and policy reported."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **params: Any) -> Any:
        """Send one command and return its result; events on the way are kept."""
        self._last_id += 1
        await self._socket.send_json(
            {"id": self._last_id, "method": method, "params": params}
        )
        while True:
            message = await self._receive()
            if message.get("id") == self._last_id:
                assert "error" not in message, message["error"]
                return message["result"]

    async def open(
        self,
        url: str,
        *,
        width: int = 1280,
        scheme: str = "light",
        media: str = "screen",
        scripts: bool = True,
    ) -> None:
        """Load ``url`` at a width, with errors recorded from the first byte."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        await self.call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        await self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await self.call("Page.navigate", url=url)
        while (await self._receive()).get("method") != "Page.loadEventFired":
            pass

    async def value(self, expression: str) -> Any:
        """Return what a JavaScript expression comes to; promises are awaited."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def picture(self, *, y: int = 0, height: int = 1600) -> bytes:
        """Return a PNG of part of the page, for people to look at."""
        width = await self.value("document.documentElement.clientWidth")
        clip = {"x": 0, "y": y, "width": width, "height": height, "scale": 1}
        answer = await self.call(
            "Page.captureScreenshot", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(answer["data"])

    async def _receive(self) -> Any:
        async with asyncio.timeout(_DEADLINE_S):
            message = await self._socket.receive_json()
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        if method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        if method == "Runtime.consoleAPICalled" and params["type"] in (
            "error",
            "warning",
        ):
            self.complaints.append(str(params["args"]))
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Page]:
    """Start a browser with a fresh profile and yield its one page."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        address = await _debugger_address(process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as answer:
                pages = [p for p in await answer.json() if p["type"] == "page"]
            url = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        # The pipe must be drained, or the browser may block on its last words.
        await process.communicate()


async def _debugger_address(process: asyncio.subprocess.Process) -> str:
    """Return ``host:port`` of the debugger, which Chromium names on its stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(_DEADLINE_S):
        async for line in process.stderr:
            if line.startswith(b"DevTools listening on ws://"):
                return line.split(b"/")[2].decode()
    message = "Chromium ended before it was ready"
    raise RuntimeError(message)
