"""The sections of the configuration about watching: where Prometheus finds the figures, and what logs look like."""

from typing import Literal

from pydantic import Field

from pipelines.section import Section


class MonitoringConfig(Section):
    """The HTTP service that gives Prometheus the figures of all jobs."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: all")
    port: int = Field(8382, ge=0, le=65_535, description="port to listen on; 0: a free one, which is told")


class LoggingConfig(Section):
    """What is said on stderr, and how."""

    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: lines for people where stderr is a terminal, else a JSON object a line"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is less important is not said; libraries and Spark speak from warning on"
    )
