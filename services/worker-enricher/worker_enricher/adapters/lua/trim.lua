-- Remove the entries that the group delivered and acknowledged. KEYS: the stream, the sign of its readers.
-- ARGV: the group, and the milliseconds for which processed entries are kept while there are readers.
-- One script instead of two calls, because another consumer may read in between.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields['name'] == ARGV[1] then
    local oldest = fields['last-delivered-id']
    if fields['pending'] > 0 then oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2] end
    if redis.call('EXISTS', KEYS[2]) == 1 then
      local now = redis.call('TIME')
      local kept_ms = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[2]
      if kept_ms < tonumber(string.match(oldest, '^%d+')) then
        oldest = string.format('%d-0', math.max(0, kept_ms))
      end
    end
    return redis.call('XTRIM', KEYS[1], 'MINID', '~', oldest)
  end
end
return 0
