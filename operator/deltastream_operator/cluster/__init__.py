"""The controller: watches the feeds of a namespace and reconciles their workloads and status."""
