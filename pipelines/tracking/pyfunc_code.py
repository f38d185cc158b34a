"""What MLflow copies into each model and runs to load it: code rather than a pickle, which ties a model to one Python."""

from mlflow.models import set_model

from pipelines.tracking.pyfunc import RankerModel

set_model(RankerModel())
