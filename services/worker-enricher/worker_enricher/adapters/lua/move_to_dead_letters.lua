#!lua flags=allow-oom
-- Move an entry to the dead letters. Returns the number of old letters that were dropped.
-- KEYS: the dead letters, the stream. ARGV: group, entry, letter, body, maximum letters, maximum bytes.
-- While Redis is over half full, a feed's letters get a quarter of the maximum bytes, so that the letters of
-- any number of feeds stay limited. A Redis user without permission for INFO always gets the full maximum.
-- For `allow-oom` see redis_client.
local before = redis.call('XLEN', KEYS[1])
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[5], '*', 'letter', ARGV[3], 'body', ARGV[4])
redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
local info = redis.pcall('INFO', 'memory')
if type(info) == 'table' and info.err then info = '' end
local used = tonumber(string.match(info, 'used_memory:(%d+)') or 0)
local most = tonumber(string.match(info, 'maxmemory:(%d+)') or 0)
local budget = tonumber(ARGV[6])
if most > 0 and used > most / 2 then budget = budget / 4 end
local left = redis.call('XLEN', KEYS[1])
while left > 1 and redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', '0') > budget do
  redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', left - math.ceil(left / 16))
  left = redis.call('XLEN', KEYS[1])
end
return before + 1 - left
