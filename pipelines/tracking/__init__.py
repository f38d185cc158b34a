"""MLflow: training runs, versions of the model, and which of them is champion."""

import os

# MLflow tells its makers how it is used, from the moment it is imported. Not from here: this runs before every module of
# the room, and only they import it.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
