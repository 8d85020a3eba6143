"""Deribit: public market data by JSON-RPC over WebSocket, without a key."""
