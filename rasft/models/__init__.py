"""Where a model comes from, and how problems become its prompts and responses."""
