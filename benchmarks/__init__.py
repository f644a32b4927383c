"""Benchmarks of pyconv: asv classes, peers side by side, the speed table. See README.md."""
