"""Who is there: when Command last heard of each orchestrator, asked once a heartbeat.

An orchestrator that is silent for too long is no longer fed; one that is heard again
is. Who may not read the list goes on without it: then the pick-up timeout alone tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from batch_reenroll.campaign.breakers import silence
from batch_reenroll.campaign.lifecycle import State
from batch_reenroll.campaign.nouns import Orchestrator, Page
from batch_reenroll.errors import CommandError, NotAuthorised
from batch_reenroll.runner.context import Context, happens
from batch_reenroll.runner.preflight import PAGE_ROWS, every


@dataclass(slots=True)
class Listener:
    """Reads the orchestrators' ``LastSeen``."""

    ctx: Context
    _server_time: datetime | None = None
    _is_deaf: bool = False

    async def run(self) -> None:
        """Listen once a heartbeat while rows are to be sent or in flight."""
        ctx = self.ctx
        if ctx.settings.silence_s is None:
            return
        until_s = ctx.clock.monotonic() + ctx.settings.listen_s
        while not ctx.is_done and not self._is_deaf:
            change = ctx.change
            left_s = until_s - ctx.clock.monotonic()
            if left_s > 0:
                await happens(change, left_s)
                continue
            await self.listen()
            until_s = ctx.clock.monotonic() + ctx.settings.listen_s

    async def listen(self) -> Mapping[str, str]:
        """Ask once; return the orchestrators' machine names by GUID.

        Nothing where it cannot be known: a list that cannot be read now is no reason to
        stop, and whether Command answers is the tracker's business.
        """
        ctx = self.ctx
        try:
            found = await every(self._page, lambda agent: agent.agent_id)
        except NotAuthorised as exc:
            self._is_deaf = True
            what = "a silent orchestrator goes unnoticed until the pick-up timeout"
            await ctx.go_without("listening_refused", what, exc.message)
            return {}
        except CommandError:
            return {}
        await self._judge(found)
        return {agent_id: agent.client_machine for agent_id, agent in found.items()}

    async def _judge(self, found: Mapping[str, Orchestrator]) -> None:
        """Say of each orchestrator of ours whether it is silent, by Command's clock.

        An answer without a date tells no time, and our clock may be wrong by hours.
        """
        ctx, now = self.ctx, self._server_time
        allowed_s = ctx.settings.silence_s
        if allowed_s is None or now is None:
            return
        # What is at work for us is there, whatever LastSeen says: that an orchestrator
        # shows itself during a long job is not documented. The job timeout bounds it.
        busy = {
            tracked.row.agent_id
            for tracked in ctx.rows.values()
            if tracked.row.state is State.RUNNING
        }
        for agent_id in sorted(ctx.lanes.agents() & found.keys()):
            agent = found[agent_id]
            quiet = silence(agent.last_seen, now, allowed_s=allowed_s)
            quiet = None if agent_id in busy else quiet
            await ctx.hear(agent_id, agent.client_machine, quiet)

    async def _page(self, number: int) -> Page[Orchestrator]:
        page = await self.ctx.command.orchestrators(page=number, limit=PAGE_ROWS)
        self._server_time = page.server_time
        return page
