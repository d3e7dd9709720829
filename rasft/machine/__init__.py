"""The machine a run stands on: what is installed, what it lacks, what a run will take of it."""
