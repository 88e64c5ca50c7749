"""Tocsin, a serverless alert router."""
