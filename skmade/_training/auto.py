"""What 'auto' means for a table of n rows.

Small tables profit from members, large ones from longer training. The numbers were chosen by
held-out rows of the benchmark's tables (docs: How well it does).
"""

# From so many rows on there are fewer members, which train longer.
MANY_ROWS = 5000

# Rows that training passes over in all, and the least number of epochs.
MAX_SEEN_ROWS = 1_500_000
MIN_EPOCHS = 20


def n_members(n_rows: int) -> int:
    """Return 8, or 4 for large tables."""
    return 8 if n_rows < MANY_ROWS else 4


def n_epochs(n_rows: int) -> int:
    """Return 100, or 200 for large tables, as long as these do not cost too much."""
    if n_rows < MANY_ROWS:
        return 100
    return max(MIN_EPOCHS, min(200, MAX_SEEN_ROWS // n_rows))


def dropout(n_rows: int) -> float:
    """Return 500 divided by the number of rows, within 0.05 and 0.2."""
    return max(0.05, min(0.2, 500 / n_rows))


def batch_size(n_rows: int) -> int:
    """Return a twentieth of the rows, within 64 and 256."""
    return max(64, min(256, n_rows // 20))
