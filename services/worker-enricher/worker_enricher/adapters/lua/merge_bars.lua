#!lua flags=allow-oom
-- Merge OHLC bars into the cached ones. KEYS: ohlc:{P}:{N}m of several products and windows. ARGV: ttl in
-- seconds, number of bars to keep, then per bar: the index of its key, start, open, high, low, close,
-- open_order, close_order. Prices stay strings, to keep their digits; only comparisons convert to numbers.
for i = 3, #ARGV, 8 do
  local number, start, o, h, l, c, oo, co = unpack(ARGV, i, i + 7)
  local key = KEYS[tonumber(number)]
  local old = redis.call('HGET', key, start)
  if old then
    local po, ph, pl, pc, poo, pco = string.match(old,
      '"open":([^,]+),"high":([^,]+),"low":([^,]+),"close":([^,]+),"open_order":"([^"]+)","close_order":"([^"]+)"')
    if poo <= oo then o, oo = po, poo end
    if pco >= co then c, co = pc, pco end
    if tonumber(ph) > tonumber(h) then h = ph end
    if tonumber(pl) < tonumber(l) then l = pl end
  end
  redis.call('HSET', key, start, '{"start":' .. start .. ',"open":' .. o .. ',"high":' .. h
    .. ',"low":' .. l .. ',"close":' .. c .. ',"open_order":"' .. oo .. '","close_order":"' .. co .. '"}')
end
for _, key in ipairs(KEYS) do
  local surplus = redis.call('HLEN', key) - tonumber(ARGV[2])
  if surplus > 0 then
    local starts = redis.call('HKEYS', key)
    table.sort(starts, function(a, b) return tonumber(a) < tonumber(b) end)
    for i = 1, surplus do redis.call('HDEL', key, starts[i]) end
  end
  redis.call('EXPIRE', key, ARGV[1])
end
