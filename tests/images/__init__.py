"""The images' rules, checked without an engine. What a cluster sees of them is in tests/cluster."""
