"""Results -> text and pictures for a reader: the run's report, its card, the model card."""
