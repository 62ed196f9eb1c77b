"""Tables in partitions: how they are fitted, and what a fitted density answers of them."""
