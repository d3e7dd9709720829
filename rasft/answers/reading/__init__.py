"""From the text of a math answer to its shape: notation, tokens, numbers, words."""
