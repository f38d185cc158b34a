"""What the DAGs share. No DAG is defined here; Airflow does not look into this folder (.airflowignore)."""
