"""What visitors gave to the users they turned out to be, from the events alone: for profiles that are made anew.

By event time: an interaction of a visitor is of the user of the last login not after it, in seconds; what came before the
first login is of the first one's. From the first event on that tells the visitor's id as a
`user_id`, nothing is given and no login counts. The hot path goes by what has come so far, so where events come in order of
time, or a visitor is of one user ever, both give the same (docs/redis.md, Logins).
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

_MORE = {"giver": "string", "becomes": "string", "since_s": "long"}  # what only rows of logins and of gifts have


def with_gifts(rows: DataFrame) -> DataFrame:
    """Add to everybody's own interactions what visitors gave them, and who is whose.

    In:   rows of `to_arrivals` with `source`, logins among them.
    Out:  the interactions, once as their user's own, and of visitors who logged in once more as those of their user, then with
          source 0 and the visitor as `giver`. Rows with `is_login` tell the login that holds of a visitor: `becomes` the user,
          with time_s and event_hash of the `identify`; one for the visitor (no giver), and one for that user, where
          `giver` is the visitor, and since_s the second from which all that the visitor did is the user's.
    """
    own = rows.where(F.col("visitor").isNull()).select(
        "*",
        F.lit(False).alias("is_login"),
        *(F.lit(None).cast(kind).alias(name) for name, kind in _MORE.items()),
    )
    life = _lives(rows)
    gifts = life.where(F.col("told").isNull() & F.col("code").isNotNull() & F.col("owner").isNotNull()).select(
        *(_gift_column(name) for name in own.columns)
    )
    logins = life.where(F.col("told").isNotNull())
    links = [
        logins.select(*(_link_column(name, user, giver) for name in own.columns)).dropDuplicates(["user", "giver"])
        for user, giver in ((F.col("holds.told"), F.col("id")), (F.col("id"), F.lit(None).cast("string")))
    ]
    return own.unionByName(gifts).unionByName(links[0]).unionByName(links[1])


def _lives(rows: DataFrame) -> DataFrame:
    """What the visitors who logged in did and were told to be, with whose it is: `owner`, and the login that `holds`.

    `id` is the visitor, `told` of a login the user; what is not before the id's first `user_id` is left out.
    """
    is_login = F.col("visitor").isNotNull()
    logins = rows.where(is_login & (F.col("visitor") != F.col("user")))
    told = logins.withColumns({"id": F.col("visitor"), "told": F.col("user"), "is_named": F.lit(False)})
    did = rows.withColumns({"id": F.col("user"), "told": F.lit(None).cast("string")})
    all_of = told.unionByName(did.join(logins.select(F.col("visitor").alias("id")).distinct(), "id", "left_semi"))

    low = F.col("event_hash").bitwiseAND(F.lit(0xFFFFFFFF))
    whole = Window.partitionBy("id")
    so_far = whole.orderBy("time_s", F.col("told").isNull(), low).rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    to_the_end = so_far.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    named_from = F.min(F.when(F.col("is_named"), F.col("time_s"))).over(whole)
    as_visitor = all_of.withColumn("named_from", named_from).where(
        F.col("named_from").isNull() | (F.col("time_s") < F.col("named_from"))
    )
    login = F.when(F.col("told").isNotNull(), F.struct("time_s", low.alias("low"), "event_hash", "told"))
    return as_visitor.withColumns(
        {
            "owner": F.coalesce(
                F.last("told", ignorenulls=True).over(so_far), F.first("told", ignorenulls=True).over(to_the_end)
            ),
            "holds": F.max(login).over(whole),
            "is_of_one": F.min("told").over(whole) == F.max("told").over(whole),
        }
    )


def _gift_column(name: str) -> Column:
    values = {"user": F.col("owner"), "giver": F.col("id"), "source": F.lit(0).cast("long"), "is_named": F.lit(False)}
    values |= {"is_login": F.lit(False), "becomes": F.lit(None).cast("string"), "since_s": F.lit(None).cast("long")}
    return values.get(name, F.col(name)).alias(name)


def _link_column(name: str, user: Column, giver: Column) -> Column:
    values = {"user": user, "giver": giver, "becomes": F.col("holds.told"), "is_login": F.lit(True)}
    values |= {"time_s": F.col("holds.time_s"), "event_hash": F.col("holds.event_hash")}
    values |= {"since_s": F.when(F.col("is_of_one"), F.lit(0)).otherwise(F.col("holds.time_s")).cast("long")}
    return values.get(name, F.col(name)).alias(name)
