"""Training again on a schedule: the champion, its challenger, and what a tick does."""
