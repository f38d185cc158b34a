"""The section of the configuration about metrics: where Prometheus finds them."""

from pydantic import Field

from pipelines.section import Section


class MonitoringConfig(Section):
    """The HTTP service that gives Prometheus the figures of all jobs."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: all")
    port: int = Field(8382, ge=0, le=65_535, description="port to listen on; 0: a free one, which is told")
