"""The metrics as OTLP over HTTP (protobuf), by OpenTelemetry's own SDK: an extra.

Where to, how often and with which headers, the standard variables say:
``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_EXPORTER_OTLP_HEADERS``,
``OTEL_METRIC_EXPORT_INTERVAL``, ``OTEL_SERVICE_NAME`` and their kin. The SDK exports
from threads of its own; a collector that is away costs the run nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from batch_reenroll import __version__
from batch_reenroll.errors import UsageError
from batch_reenroll.observe.family import Family, Kind
from batch_reenroll.observe.metrics import BOUNDS

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

#: How long the end of a run waits for the last export.
_CLOSE_S = 5.0


class Otel:
    """Exports metrics until it is closed.

    Raises:
        UsageError: The extra is not installed, or a variable of its cannot be used.
    """

    def __init__(self, campaign_id: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
                OTLPMetricExporter,
            )
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
        except ImportError as exc:
            message = f"--otel needs a package that is not installed: {exc.name}"
            hint = "pip install 'batch-reenroll[otel]'"
            raise UsageError(message, code="otel_missing", hint=hint) from exc
        about = {"service.version": __version__, "batch_reenroll.campaign": campaign_id}
        if "OTEL_SERVICE_NAME" not in os.environ:
            about["service.name"] = "batch-reenroll"
        try:
            self._provider = MeterProvider(
                metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())],
                resource=Resource.create(about),
                shutdown_on_exit=False,
            )
        except ValueError as exc:
            message = f"--otel: a variable OTEL_… cannot be used: {type(exc).__name__}"
            raise UsageError(message, code="otel_settings") from exc
        meter = self._provider.get_meter("batch-reenroll", __version__)
        self._meter: Meter = meter
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(
                name,
                unit=_unit(name),
                explicit_bucket_boundaries_advisory=list(bounds),
            )
            for name, bounds in BOUNDS.items()
        }
        self._families: dict[str, Family] = {}

    def record(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Take in a number of a histogram."""
        self._histograms[name].record(value, attributes=dict(labels))

    def show(self, families: Iterable[Family]) -> None:
        """Replace what the next export will show.

        The SDK asks from a thread of its own; what it is given no longer changes.
        """
        for family in families:
            if family.kind is Kind.HISTOGRAM:
                continue
            is_new = family.name not in self._families
            self._families[family.name] = family
            if is_new:
                self._create(family)

    def _create(self, family: Family) -> None:
        def observed(_: CallbackOptions) -> Sequence[Observation]:
            from opentelemetry.metrics import Observation

            samples = self._families[family.name].samples
            return [Observation(s.value, dict(s.labels)) for s in samples]

        is_counter = family.kind is Kind.COUNTER
        create: Any = (
            self._meter.create_observable_counter
            if is_counter
            else self._meter.create_observable_gauge
        )
        # Whoever turns OTLP into Prometheus' format adds the suffix to counters.
        name = family.name.removesuffix("_total") if is_counter else family.name
        create(name, [observed], unit=_unit(name), description=family.text)

    async def close(self) -> None:
        """Export what there is once more; give up after a few seconds.

        Not in the loop's executor: its end would wait for a collector that is away.
        """
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut() -> None:
            # It raises whatever kept it from exporting; its own log has said so.
            with contextlib.suppress(Exception):
                self._provider.shutdown(timeout_millis=_CLOSE_S * 1000)
            # Where nobody waits any more, the loop is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=shut, name="otel end", daemon=True).start()
        try:
            await asyncio.wait_for(ended.wait(), _CLOSE_S)
        except TimeoutError:
            return


def _unit(name: str) -> str:
    return "s" if name.endswith("_seconds") else "1"
