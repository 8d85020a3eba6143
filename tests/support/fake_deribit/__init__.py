"""A fake Deribit for tests: a WebSocket server that speaks the documented protocol over a made-up market."""
