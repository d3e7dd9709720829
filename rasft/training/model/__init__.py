"""The forward pass: attention, the language-model head, precision, adapters, compilation."""
