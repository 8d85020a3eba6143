-- NB: not INCR alone: a Redis that lost its data would count from 1 again, and every message whose name
-- MongoDB already has would be taken for a repetition and dropped.
local epoch = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%d', epoch))
return epoch
