"""Benchmarks that asv runs on one commit after another."""
