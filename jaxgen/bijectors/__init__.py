"""Invertible layers: each gives forward(x) -> (y, log|det dy/dx|) and inverse(y) -> (x, log|det dx/dy|)."""
