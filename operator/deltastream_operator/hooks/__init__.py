"""The commands of the chart's hooks: each runs once, in a Job, and ends."""
