"""Readers of the files that people have: each turns one shape of export into rows and reports problems."""
