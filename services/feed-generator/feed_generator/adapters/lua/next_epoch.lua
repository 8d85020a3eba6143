-- KEYS: the feed's epoch. ARGV: the time in seconds. Returns the next epoch.
-- INCR alone is not enough: a Redis that lost its data would count from 1 again, and MongoDB would reject messages
-- whose mid it already has as duplicates.
local epoch = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%d', epoch))
return epoch
