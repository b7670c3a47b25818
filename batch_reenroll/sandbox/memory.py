"""What a list was asked before: rows that are only added need not be looked at again.

A list of a hundred thousand rows that is read page by page, or every few seconds, would
cost the sandbox more than the client it is there to try out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

#: Questions remembered: one for each orchestrator of a large fleet, and some.
_MAX_QUESTIONS = 256


class Memory(Generic[T]):
    """The rows that fit a question, for the questions asked last.

    Args:
        world: Returns what the answers depend on besides the rows: where it is another
            object than before, all is forgotten.
    """

    def __init__(self, world: Callable[[], object]) -> None:
        self._world = world
        self._then = world()
        self._known: dict[Hashable, tuple[int, list[T]]] = {}

    def matching(
        self, rows: Sequence[T], question: Hashable, test: Callable[[T], bool]
    ) -> Sequence[T]:
        """Return the rows that pass ``test``, in their order; not to be changed.

        Args:
            rows: The same as before, none changed in what ``test`` looks at, and
                perhaps more behind them.
            question: Names the test.
            test: Is put to the rows that it has not seen.
        """
        self._heed_world()
        n_seen, found = self._known.pop(question, (0, []))
        found.extend(filter(test, islice(rows, n_seen, None)))
        self._keep(question, (len(rows), found))
        return found

    def sorted(
        self, rows: Sequence[T], question: Hashable, order: Callable[[], list[T]]
    ) -> Sequence[T]:
        """Return what ``order`` made of as many rows before, or makes now."""
        self._heed_world()
        n_seen, found = self._known.pop(question, (-1, []))
        if n_seen != len(rows):
            found = order()
        self._keep(question, (len(rows), found))
        return found

    def _heed_world(self) -> None:
        now = self._world()
        if now is not self._then:
            self._then = now
            self._known.clear()

    def _keep(self, question: Hashable, known: tuple[int, list[T]]) -> None:
        self._known[question] = known
        if len(self._known) > _MAX_QUESTIONS:
            del self._known[next(iter(self._known))]
