"""Attacks on running servers. During each attack, well-behaved clients must still be served."""
