"""NSE and BSE through the ticker of Zerodha's Kite Connect 3."""
