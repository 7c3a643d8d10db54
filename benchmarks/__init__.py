"""Benchmarks of dvt against named peers; see README.md."""
