"""The command line `deltastream`: a client of the REST gateway and of the Socket.IO gateway."""
