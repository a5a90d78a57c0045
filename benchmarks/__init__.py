"""Benchmarks: kemu beside others, in one run. `scripts/bench` runs them; figures from different runs or machines do not compare."""
