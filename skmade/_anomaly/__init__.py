"""How odd a row is beside ordinary ones, and why."""
