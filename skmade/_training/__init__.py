"""From rows to weights: the only wing that knows torch."""
