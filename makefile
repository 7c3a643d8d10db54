# Two commands for a fresh machine: `make demo` and `make test`. They need Python 3.10 to 3.13 and nothing else.
HATCH := scripts/hatch
export PYTHON

.PHONY: help demo test quality bench clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo     run the example shop: PostgreSQL, SQLite and Parquet into DuckDB'
	@echo 'make test     unit tests and integration tests, on real servers'
	@echo 'make quality  ruff and mypy'
	@echo 'make bench    the benchmarks'
	@echo 'make clean    remove everything that these commands made'

demo:
	@$(HATCH) run python examples/shop/demo.py

test:
	@scripts/servers
	@echo '== hatch run unit-tests'
	@$(HATCH) run unit-tests
	@scripts/spark
	@echo '== hatch run integration-tests'
	@$(HATCH) run integration-tests

quality:
	@$(HATCH) run code-quality

bench:
	@$(HATCH) run bench

clean:
	rm -rf .venv .hatch dist build .mypy_cache .ruff_cache .pytest_cache
	rm -rf examples/shop/data examples/shop/target examples/shop/logs examples/shop/.user.yml examples/shop/*.duckdb examples/shop/*.duckdb.wal
