#!lua flags=allow-oom
-- Cache a message unless the cache has a newer one of the same feed, or a chain of another series whose epoch is
-- not older. Returns 1 if it was written, else 0.
-- KEYS: index:{P}, index:products, value key, and for chains the pcr key. ARGV: field, feed, order, index,
-- value, pcr, ttl in seconds, number of expiries to keep, product, series. Orders are compared as strings,
-- because a Lua number cannot represent nanoseconds exactly; characters 39 to 48 are the epoch.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and string.match(old, '"feed":"([^"]*)"') == ARGV[2] then
  local order = string.match(old, '"order":"([^"]*)"')
  if order >= ARGV[3] then return 0 end
  local series = string.match(old, '"series":"([^"]*)"')
  if series and series ~= ARGV[10] and string.sub(order, 39, 48) >= string.sub(ARGV[3], 39, 48) then
    return 0
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[7])
if KEYS[4] then redis.call('SET', KEYS[4], ARGV[6], 'EX', ARGV[7]) end
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('SADD', KEYS[2], ARGV[9])
redis.call('EXPIRE', KEYS[2], ARGV[7])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[8]) + 1 then
  local fields = redis.call('HKEYS', KEYS[1])
  table.sort(fields)
  redis.call('HDEL', KEYS[1], fields[1])
end
return 1
