"""Which plans and rows may go: the flags that ``plan`` and ``run`` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import click

from batch_reenroll.campaign.preflight import IGNORABLE
from batch_reenroll.campaign.reasons import Reason

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which rows of a manifest are meant.

    Attributes:
        limit: Rows that may be submitted, or None for all; >= 1.
        only_wave: Only rows whose ``Wave`` is this, or None.
        strict: Refuse the plan when any row cannot run.
        ignore: Obstacles that are only pointed out.
        younger_than: A certificate issued within this time needs no rotation.
        accept_late: Let a plan go whose deadline will probably be missed.
    """

    limit: int | None = None
    only_wave: str | None = None
    strict: bool = False
    ignore: frozenset[Reason] = frozenset()
    younger_than: timedelta | None = None
    accept_late: bool = False


def choice_options(function: F) -> F:
    """Add what decides which plans and rows may go."""
    for option in (
        click.option(
            "--accept-late",
            is_flag=True,
            help="Let a plan go that will probably miss its deadline.",
        ),
        click.option(
            "--ignore",
            type=click.Choice([str(reason) for reason in sorted(IGNORABLE)]),
            multiple=True,
            help="Let rows go that this would stop; may be repeated.",
        ),
        click.option("--only-wave", metavar="NAME", help="Only rows of this wave."),
        click.option(
            "--limit", type=click.IntRange(min=1), help="Submit this many rows at most."
        ),
        click.option("--strict", is_flag=True, help="Refuse when any row cannot run."),
    ):
        function = option(function)
    return function


def choice_from(values: dict[str, Any]) -> Choice:
    """Take the choice of rows out of ``values``."""
    return Choice(
        limit=values.pop("limit"),
        only_wave=values.pop("only_wave"),
        strict=values.pop("strict"),
        ignore=frozenset(map(Reason, values.pop("ignore"))),
        accept_late=values.pop("accept_late"),
    )
