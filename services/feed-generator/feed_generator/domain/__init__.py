"""The synthetic market and the contract rules: pure code; time and random numbers are arguments."""
