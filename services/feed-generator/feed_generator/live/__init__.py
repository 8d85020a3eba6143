"""Live sources: markets that an exchange or a broker sends."""
