"""Files the lists that were published in Delta: which, when, why, by which model, after which event."""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from pipelines.schemas import LISTS
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import ensure_table


@dataclass(frozen=True)
class ListTable:
    """Appends rows of LISTS.

    Safe to replay: an append is the commit `number` of its `series`, and Delta passes over a number that the table has. So
    the rows of a number must be the same each time, and another series begins where the numbers begin anew.
    """

    path: str

    def append(self, rows: DataFrame, series: str, number: int) -> None:
        """Add `rows`; they are computed once."""
        ensure_table(rows.sparkSession, self.path, "lists", LISTS)
        options = {"txnAppId": f"lists-{series}", "txnVersion": str(number)}
        writer = rows.select(LISTS.names).write.format("delta").mode("append").options(**options)
        commit(self.path, lambda: writer.save(self.path))
