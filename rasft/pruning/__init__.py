"""Which stored runs may go, what they leave behind, and its removal."""
