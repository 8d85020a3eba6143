#!lua flags=allow-oom
return redis.call('XGROUP', 'CREATE', KEYS[1], unpack(ARGV))
