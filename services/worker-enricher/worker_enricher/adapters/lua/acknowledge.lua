#!lua flags=allow-oom
-- Acknowledge the entries of one batch and add to the feed's counters.
-- KEYS: the stream, the feed's counters. ARGV: group, microseconds of work, then the entries' ids.
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))
redis.call('HINCRBY', KEYS[2], 'entries', #ARGV - 2)
redis.call('HINCRBY', KEYS[2], 'batches', 1)
redis.call('HINCRBY', KEYS[2], 'busy_us', ARGV[2])
