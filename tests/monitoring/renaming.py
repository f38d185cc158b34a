"""What a query would be if a metric of it were called otherwise."""

import re

METRIC = re.compile(r"\bliveshelf_\w+|\bup\b")


def metrics_of(expr: str) -> list[str]:
    """The metrics that it asks for, each once."""
    return sorted({*METRIC.findall(expr)})


def with_another_name(expr: str, metric: str) -> str:
    """The same query, of a metric that there is not."""
    return re.sub(rf"\b{metric}\b", f"{metric}_renamed", expr)
