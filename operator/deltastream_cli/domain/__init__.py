"""Pure functions: reports, numbers and the plan of an export. No I/O and no clock."""
