"""What `docs/generate.py` writes: a file a page, and what the pages share."""
