"""The way to the API server, for the controller and the hooks: its calls, names and paths."""
