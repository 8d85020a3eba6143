"""Everything that does I/O: HTTP, Socket.IO, files and the terminal."""
