#!lua flags=allow-oom
-- KEYS: ohlc:{P}:{N}m. ARGV: ttl, bars kept, then per bar: start, open, high, low, close, open_order,
-- close_order. Prices stay the strings they came as; only comparisons turn them into numbers.
for i = 3, #ARGV, 7 do
  local start, o, h, l, c, oo, co = unpack(ARGV, i, i + 6)
  local old = redis.call('HGET', KEYS[1], start)
  if old then
    local po, ph, pl, pc, poo, pco = string.match(old,
      '"open":([^,]+),"high":([^,]+),"low":([^,]+),"close":([^,]+),"open_order":"([^"]+)","close_order":"([^"]+)"')
    if poo <= oo then o, oo = po, poo end
    if pco >= co then c, co = pc, pco end
    if tonumber(ph) > tonumber(h) then h = ph end
    if tonumber(pl) < tonumber(l) then l = pl end
  end
  redis.call('HSET', KEYS[1], start, '{"start":' .. start .. ',"open":' .. o .. ',"high":' .. h
    .. ',"low":' .. l .. ',"close":' .. c .. ',"open_order":"' .. oo .. '","close_order":"' .. co .. '"}')
end
local surplus = redis.call('HLEN', KEYS[1]) - tonumber(ARGV[2])
if surplus > 0 then
  local starts = redis.call('HKEYS', KEYS[1])
  table.sort(starts, function(a, b) return tonumber(a) < tonumber(b) end)
  for i = 1, surplus do redis.call('HDEL', KEYS[1], starts[i]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return surplus
