"""Defects to plant in the package, one at a time, and the tests that must notice them."""
