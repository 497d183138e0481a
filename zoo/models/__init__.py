"""Architectures: one family per file, `keras` and `keras.ops` only."""
