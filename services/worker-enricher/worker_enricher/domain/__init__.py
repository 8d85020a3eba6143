"""The quant core: pure NumPy functions on columns, without I/O and without a clock."""
