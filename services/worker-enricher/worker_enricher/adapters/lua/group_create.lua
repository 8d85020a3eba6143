#!lua flags=allow-oom
-- Create a consumer group while Redis is full. KEYS: the stream. ARGV: group, id, options.
return redis.call('XGROUP', 'CREATE', KEYS[1], unpack(ARGV))
