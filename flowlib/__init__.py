"""Normalizing flows, small, right and fast. One flow family per file; read them in the order of the course."""
