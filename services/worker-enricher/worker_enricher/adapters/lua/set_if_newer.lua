#!lua flags=allow-oom
-- KEYS: index:{P}, index:products, value key, pcr key (or none). ARGV: field, feed, order, index, value,
-- pcr, ttl, expiries kept, product. Orders compare as strings: a Lua number cannot hold nanoseconds.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and string.match(old, '"feed":"([^"]*)"') == ARGV[2]
   and string.match(old, '"order":"([^"]*)"') >= ARGV[3] then
  return 0
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
