"""The commands of the chart's Helm hooks. Each command runs once in a Job and then exits."""
