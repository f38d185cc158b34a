"""Mends the bytes of quarantined records with a function that somebody wrote for them. No record fails the run."""

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StringType, StructField, StructType

Fix = Callable[[bytes], bytes | None]  # None: this record is none of its business

MAX_ERROR_CHARACTERS = 300
_MENDED = StructType([StructField("value", BinaryType()), StructField("error", StringType())])


def mend(rows: DataFrame, fix: Fix | None = None) -> DataFrame:
    """Apply `fix` to each `value`, on the executors; without one, let each be as it came.

    Out:  fixed (the new bytes, else null), fix_error (what it raised or gave back wrongly, else null), is_left_alone.
    A record without a value is left alone. Persist what comes out: each use of it would run the fix again.
    """
    if fix is None:
        as_it_came = {"fixed": F.col("value"), "fix_error": F.lit(None).cast("string"), "is_left_alone": F.lit(False)}
        return rows.withColumns(as_it_came)
    # Without Arrow, for Arrow would gather up to a million values in one batch, of up to a megabyte each.
    column = F.udf(_returning_errors(fix), _MENDED, useArrow=False).asNondeterministic()
    rows = rows.select("*", column("value").alias("_mended"))
    mended, error = F.col("_mended.value"), F.col("_mended.error")
    outcome = {"fixed": mended, "fix_error": error, "is_left_alone": mended.isNull() & error.isNull()}
    return rows.withColumns(outcome).drop("_mended")


def _returning_errors(fix: Fix) -> Callable[[bytes | None], tuple[bytes | None, str | None]]:
    def run(value: bytes | None) -> tuple[bytes | None, str | None]:
        if value is None:
            return None, None
        try:
            mended: object = fix(bytes(value))
        except Exception as error:  # it is somebody else's code, and its failure is a result
            return None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
        if mended is None or isinstance(mended, bytes):
            return mended, None
        return None, f"it returned {type(mended).__name__}, expected bytes or None"

    return run
