"""Processes: started, asked whether they serve, started again, stopped."""
