"""GRPO and DAPO by TRL on verified rewards."""
