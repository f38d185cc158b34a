"""Whether the exporter knows what a stream says."""

from collections.abc import Mapping
from typing import Any

from pipelines.monitoring.meanings import NO_METRIC, OF_EVERY_STREAM, OF_STREAM


def figures_without_meaning(stream: str, beat: Mapping[str, Any]) -> set[str]:
    """Figures of a heartbeat that are neither a metric nor said to be none."""
    known = {meaning.figure for meaning in [*OF_EVERY_STREAM, *OF_STREAM[stream]]}
    return set(beat) - known - NO_METRIC.keys()
