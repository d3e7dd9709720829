"""Training problems and benchmarks: read, checked, cleaned of what the benchmarks hold."""
