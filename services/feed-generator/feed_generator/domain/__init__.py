"""The synthetic market and the contract rules. Pure: time and random numbers are arguments."""
