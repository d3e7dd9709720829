"""Worker processes that are watched, limited and replaced."""
