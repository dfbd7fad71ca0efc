"""Estimating what a sync would take before it runs."""
