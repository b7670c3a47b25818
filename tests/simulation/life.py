"""One life of our process, and its end at any moment.

Every task that our process makes is mortal: each time one of them goes on after an
await is a step, and at any step the process may die. From then on nothing of it runs:
whatever a task of it would do next raises :class:`Died` in its place. What has left
the process before (a request on its way, a commit on disk) goes its own way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from simulation.scenario import Crash, Moment


class Died(BaseException):
    """Our process is dead: whatever it still tries to do does not happen."""


@dataclass(slots=True)
class Life:
    """Counts the moments of one life and ends it at the chosen one.

    Attributes:
        crash: Where it ends, or None: it lives.
        dead: It has ended.
        over: Set when it ends.
        tasks: Tasks of the process that have not ended.
    """

    crash: Crash | None
    dead: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _seen: int = 0

    def reach(self, moment: Moment) -> None:
        """Come to a moment; raise :class:`Died` at the last one, and ever after."""
        crash = self.crash
        if crash is not None and moment is crash.moment and not self.dead:
            self._seen += 1
            if self._seen >= crash.n:
                self.dead = True
                self.over.set()
        if self.dead:
            raise Died

    async def bury(self) -> None:
        """End what is left of the tasks of a dead process."""
        while self.tasks:
            for task in self.tasks:
                task.cancel()
            _, going_on = await asyncio.wait(tuple(self.tasks), timeout=60.0)
            assert not going_on, "a dead process goes on"

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take a task for one of this process."""
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if self.dead and not task.cancelled():
            task.exception()  # seen: nobody else will look


#: The life that tasks are born into; none outside of our process.
LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)


class _Mortal(Coroutine[Any, Any, Any]):
    """A coroutine of our process: it runs as long as its process lives."""

    __slots__ = ("_coro", "_life")

    def __init__(self, coro: Coroutine[Any, Any, Any], life: Life) -> None:
        self._coro = coro
        self._life = life

    def send(self, value: Any, /) -> Any:
        try:
            self._life.reach(Moment.STEP)
        except Died as exc:
            return self._coro.throw(exc)
        return self._coro.send(value)

    def throw(self, *exc: Any) -> Any:
        try:
            self._life.reach(Moment.STEP)
        except Died as died:
            return self._coro.throw(died)
        return self._coro.throw(*exc)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError


def mortal_tasks(
    loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any
) -> asyncio.Task[Any]:
    """Make a task, mortal where it is made by our process (a task factory)."""
    life = LIFE.get()
    if life is None:
        return asyncio.Task(coro, loop=loop, **kwargs)
    task: asyncio.Task[Any] = asyncio.Task(_Mortal(coro, life), loop=loop, **kwargs)
    life.adopt(task)
    return task
