# Targets and their help are the lines with `##`. `make` alone prints them.
PYTHON ?= python3
EVENTS ?=
FORMAT ?=
ARGS ?=

BIN := .venv/bin
LONG := slow or spark or servers or crash
FAST := not ($(LONG) or alone)
WORKERS ?= 2
EXAMPLES ?= all
BENCH ?= hot_path metrics validation formats rebuild quality progressive taste_change learning catalogue collector serving

.DEFAULT_GOAL := help
.PHONY: help demo test test-airflow airflow check lint types fast bench monitor package tracker clean local dev airflow-environment python

help:  ## this text
	@echo "Liveshelf: real-time personalization for online shops."; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
	@echo; echo "  EVENTS=FILE FORMAT=jsonl|rees46|online-retail   what the demo replays (default: the simulated shop)"
	@echo "  ARGS=...                                        more arguments for the demo, such as --keep"
	@echo "  BENCH=hot_path                                  one benchmark instead of all (hot_path, metrics, validation, formats, rebuild,"; echo "                                                  quality, progressive, taste_change, learning, catalogue, collector, serving)"
	@echo "  WORKERS=2                                       how many of the long tests run at once: each has a Spark, a Kafka, a Valkey"
	@echo "  PYTHON=python3.12                               the Python to use (3.10 or newer)"

demo: local  ## all of it on this machine: clicks in, personal lists out
	@$(BIN)/liveshelf demo $(if $(EVENTS),--events "$(EVENTS)") $(if $(FORMAT),--format "$(FORMAT)") $(ARGS)

test: lint  ## lint, format, types, then every test: Spark, servers, crashes (minutes)
	@$(MAKE) -s -j 2 types fast
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "($(LONG)) and not alone"
	@SPARK_SUBMIT_OPTS= $(BIN)/python -m pytest -m "alone"

test-airflow: dev package airflow-environment  ## the DAGs: checked, and each of them run by Airflow (minutes)
	@.venv-airflow/bin/mypy --strict airflow_dags
	@.venv-airflow/bin/python -m pytest --confcutdir=tests/airflow tests/airflow

airflow: local package airflow-environment  ## Airflow with the DAGs on this machine: http://127.0.0.1:8080
	@set -a && . airflow_dags/airflow.env && PATH="$$PWD/.venv-airflow/bin:$$PATH" exec airflow standalone

check: lint  ## lint, format, types, fast tests with fewer examples (about a minute)
	@$(MAKE) -s -j 2 types fast EXAMPLES=few

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types:
	@$(BIN)/mypy

fast:
	@LIVESHELF_TEST_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -n auto --dist loadscope -m "$(FAST)"

bench: dev  ## the benchmarks, measured; results in benchmarks/results
	@for name in $(BENCH); do echo "== $$name" && $(BIN)/python -m benchmarks.$$name || exit 1; done

monitor: local  ## Prometheus with the alert rules, Alertmanager and Grafana, until Ctrl-C
	@$(BIN)/liveshelf monitor $(ARGS)

package: dev  ## dist/pyfiles.zip, for spark-submit --py-files
	@rm -rf build dist && $(BIN)/python -m pip wheel -q . --no-deps -w dist && cp dist/*.whl dist/pyfiles.zip
	@echo "made dist/pyfiles.zip"

tracker:  ## minify tracker/tracker.js into the package (needs node and npm)
	@command -v npm >/dev/null || { echo "liveshelf: npm is missing. Debian, Ubuntu, WSL: sudo apt-get install npm"; exit 1; }
	@cd tracker && npm ci --silent --no-audit --no-fund && npm run --silent build
	@wc -c pipelines/collecting/static/tracker.min.js

clean:  ## delete the data, logs and caches of this folder; .venv and the jars stay
	@if ls .liveshelf/run/*.json .liveshelf/*/run/*.json >/dev/null 2>&1; then \
		$(BIN)/python -m pipelines.local.stop_orphans; fi
	@find .liveshelf -mindepth 1 -maxdepth 1 ! -name jars ! -name ivy -exec rm -rf {} + 2>/dev/null || true
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis spark-warehouse metastore_db derby.log build dist
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

local dev: python
	@$(PYTHON) setup_environment.py $@

airflow-environment: python
	@$(PYTHON) setup_environment.py airflow

python:
	@command -v $(PYTHON) >/dev/null || { echo "liveshelf: $(PYTHON) is missing: Python 3.10 or newer is needed." \
		"Debian, Ubuntu, WSL: sudo apt-get install python3 python3-venv - macOS: brew install python@3.12"; exit 1; }
