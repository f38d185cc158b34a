"""Training on Spark: slices of time, one after the other, each by all partitions at once."""
