"""The surroundings of the page's template: escaping, policy, words for values."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

from batch_reenroll.report.sets import words
from batch_reenroll.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEXT_LIMIT = 600


def environment() -> Environment:
    """Return a jinja2 environment that makes every text printable, then escapes it."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        # Markup is ours; every other text is somebody else's until shown otherwise.
        if isinstance(value, str) and not isinstance(value, Markup):
            return visible(value, _TEXT_LIMIT)
        return value

    made = Environment(
        autoescape=True,
        loader=FunctionLoader(asset),
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        duration=duration_text,
        moment=time_text,
        words=words,
        count="{:,}".format,
        svg_points=_svg_points,
    )
    return made


def content_policy(style: str, script: str | None = None) -> str:
    """Return a Content-Security-Policy under which only these blocks count.

    Args:
        style: The page's own style.
        script: The page's own script, or None where no script may run.
    """
    scripts = "'none'" if script is None else f"'{_source_hash(script)}'"
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_source_hash(style)}'",
            f"script-src {scripts}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def duration_text(duration_s: float | None) -> str:
    """Return a duration for people: ``0.4 s``, ``3 min 12 s``, ``1 h 05 min``."""
    if duration_s is None:
        return "–"
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3_600:,} h {whole % 3_600 // 60:02} min"


def time_text(moment: str | None) -> str:
    """Return RFC 3339 UTC text as people read it: ``2026-11-23 18:40:00 UTC``."""
    if not moment:
        return "–"
    if len(moment) < 20 or not moment.endswith("Z"):
        return moment
    return f"{moment[:10]} {moment[11:19]} UTC"


def _svg_points(points: Sequence[tuple[float, float]]) -> Markup:
    return trusted(" ".join(f"{x},{y}" for x, y in points))


def trusted(text: str) -> Markup:
    """Mark text of our own making, already safe inside its element."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - assets of this package, or JSON made safe


def _source_hash(block: str) -> str:
    digest = hashlib.sha256(block.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def asset(name: str) -> str:
    """Return the text of a file in this room's ``templates``."""
    path = resources.files("batch_reenroll.report").joinpath("templates", name)
    return path.read_text(encoding="utf-8")
