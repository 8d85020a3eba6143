"""Attacks by a client on running servers, while a well-behaved client is served."""
