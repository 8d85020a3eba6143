#!lua flags=allow-oom
-- KEYS: the command's key. ARGV: the command, then its arguments after the key.
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
