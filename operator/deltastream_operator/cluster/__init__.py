"""The controller: follows the feeds of a namespace and writes their workloads and status."""
