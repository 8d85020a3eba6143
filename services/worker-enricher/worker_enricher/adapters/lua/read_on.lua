#!lua flags=allow-oom
-- KEYS: the stream. ARGV: group, consumer, most entries, most bytes. Reads new entries, a few at a time, until it
-- has so many or so many bytes: a plain read is bounded by number alone. `allow-oom`: see redis_client.
local found, bytes, left = {}, 0, tonumber(ARGV[3])
while left > 0 and bytes < tonumber(ARGV[4]) do
  local wanted = math.min(left, 8)
  local answer = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', wanted, 'STREAMS', KEYS[1], '>')
  local piece = answer and answer[1][2] or {}
  for _, entry in ipairs(piece) do
    found[#found + 1] = entry
    for _, text in ipairs(entry[2]) do bytes = bytes + #text end
  end
  if #piece < wanted then break end
  left = left - wanted
end
return found
