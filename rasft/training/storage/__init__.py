"""What outlasts a training process: its job, examples, checkpoints and final model."""
