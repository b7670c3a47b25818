"""Lines for stderr, whoever reads them or does not."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_reenroll.cli.linewriter import LineWriter

#: A pipe holds 64 KiB on Linux; more than that is not taken without a reader.
MORE_THAN_A_PIPE = 200_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def read_all(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    reader, end = pipe
    writer = LineWriter(end)
    for n in range(1000):
        writer.put(f"line {n}")
    writer.close(10)
    os.close(end)
    assert read_all(reader).decode().split("\n") == [
        *(f"line {n}" for n in range(1000)),
        "",
    ]


def test_a_reader_that_does_not_read_keeps_nobody_waiting(
    pipe: tuple[int, int],
) -> None:
    reader, end = pipe
    writer = LineWriter(end, lost="LOST {}".format, max_lines=10)
    writer.put("x" * MORE_THAN_A_PIPE)
    # It holds the first line in its hands and ten wait, or it has not begun yet.
    for n in range(100):
        writer.put(f"line {n}")
    writer.close(0.01)
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(read_all(reader)))
    reading.start()
    writer.close(10)
    os.close(end)
    reading.join(10)
    lines = read[0].decode().split("\n")
    assert lines[0] == "x" * MORE_THAN_A_PIPE
    kept = [line for line in lines if line.startswith("line")]
    (lost,) = (line for line in lines if line.startswith("LOST"))
    assert len(kept) + int(lost.removeprefix("LOST ")) == 100
    assert len(kept) <= 11


def test_a_reader_that_has_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reader, end = pipe
    os.close(reader)
    writer = LineWriter(end)
    writer.put("nobody hears this")
    writer.close(10)


def test_a_disk_that_was_full_for_a_while_leaves_no_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with file.open("wb", buffering=0) as log:
        writer = LineWriter(log.fileno(), lost="LOST {}".format)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            writer.put("twelve bytes")
            # Until the rest of it has been refused, too.
            while not writer._is_torn:
                time.sleep(0.001)
            writer.put("more")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.put("room again")
        writer.close(10)
    lines = file.read_text().split("\n")
    assert lines[0] == "twelve byt"
    assert "room again" in lines
    assert any(line.startswith("LOST") for line in lines)


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, end = pipe
    os.set_blocking(end, False)
    writer = LineWriter(end)
    writer.put("x" * MORE_THAN_A_PIPE)
    read: list[bytes] = []
    reading = threading.Thread(target=lambda: read.append(read_all(reader)))
    reading.start()
    writer.close(10)
    os.close(end)
    reading.join(10)
    assert len(read[0]) == MORE_THAN_A_PIPE + 1
