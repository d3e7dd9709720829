"""The typed configuration of a run, and how it is read from YAML files."""
