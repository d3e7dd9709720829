"""What engines share: tokens drawn side by side, and processes that are watched and replaced."""
