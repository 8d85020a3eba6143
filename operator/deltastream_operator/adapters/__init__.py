"""The edges: processes, stores, files and terminal."""
