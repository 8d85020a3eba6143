#!lua flags=allow-oom
-- Run one command while Redis is full. KEYS: its key. ARGV: its name, its other arguments.
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
