"""The market itself, as pure functions of time and random numbers that are passed in."""
