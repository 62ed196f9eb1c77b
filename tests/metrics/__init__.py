"""Scores of densities, and of drawn rows."""
