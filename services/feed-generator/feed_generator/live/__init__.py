"""Live sources: connect to an exchange, decode its frames, and hand ticks to the publisher.

An exchange is a folder of pure decoders and one `Exchange`, which does no I/O. The session, the transport and
the source are the same for every exchange.
"""
