-- Reserves the next epoch of a feed: the last epoch + 1, but at least the current Unix time in seconds
-- (ARGV[1]). INCR alone is not enough: a Redis that lost its data would count from 1 again. New messages
-- would then reuse old mids, and MongoDB would drop them as duplicates.
local epoch = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%d', epoch))
return epoch
