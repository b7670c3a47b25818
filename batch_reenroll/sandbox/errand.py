"""One errand to the management port: what is asked, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Refusal(Exception):
    """A request that is not done.

    Attributes:
        status: HTTP status, 4xx.
        word: A stable word for programs.
        problems: What is wrong, for people.
    """

    def __init__(
        self,
        status: int,
        word: str,
        *problems: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__("; ".join(problems))
        self.status = status
        self.word = word
        self.problems = problems
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, read.

    Attributes:
        parts: What stands in the path for its placeholders, decoded.
        body: The JSON value; None where the method has no body.
        now: Seconds since the epoch.
    """

    parts: tuple[str, ...]
    body: Any
    now: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON value of an answer."""

    status: int
    body: object = None
