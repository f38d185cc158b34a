"""The one place where pure rooms and stores meet inside a Spark stage: fold → learn → score → write."""
