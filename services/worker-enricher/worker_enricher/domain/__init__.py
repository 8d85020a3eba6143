"""The quant core: pure NumPy on columns; knows no queue, no store and no clock."""
