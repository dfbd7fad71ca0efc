"""How the parts name and fill their gauges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily

#: A value with the values of its labels.
Sample = tuple[Sequence[str], float | None]


def gauge(name: str, about: str, labels: Sequence[str], samples: Iterable[Sample]) -> GaugeMetricFamily:
    """Make a gauge with a sample for each value that is known."""
    family = GaugeMetricFamily(f"klaviyo_{name}", about, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(list(values), value)
    return family


def single(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    """Make a gauge without labels; one without a sample where the value is not known."""
    return gauge(name, about, (), [((), value)])
