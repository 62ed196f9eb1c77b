"""The user's cells, and the values that the network sees: there and back."""
