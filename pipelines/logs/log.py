"""The one logger: `log.info("batch_done", rows=12)`. Names and keys are those of events.py; a test holds every call to it."""

import structlog
from structlog.typing import FilteringBoundLogger

log: FilteringBoundLogger = structlog.get_logger()
