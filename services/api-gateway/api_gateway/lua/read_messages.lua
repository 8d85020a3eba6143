#!lua flags=allow-oom
-- Read a feed's messages behind an id, and keep the enrichers from removing the next ones for some seconds.
-- KEYS: the stream, the sign of its readers. ARGV: the id or '' for the end, bytes, entries, milliseconds.
-- Returns the last id that was read, 1 if there may be more, how many entries the stream has taken so far, and
-- the bodies.
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local appended
local about = redis.call('XINFO', 'STREAM', KEYS[1])
for at = 1, #about, 2 do
  if about[at] == 'entries-added' then appended = about[at + 1] end
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
if ARGV[1] == '' then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  return {newest[1] and newest[1][1] or '0-0', 0, appended}
end
local bytes, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {ARGV[1], 0, appended}
repeat
  local entries = redis.call('XRANGE', KEYS[1], '(' .. found[1], '+', 'COUNT', 16)
  for _, entry in ipairs(entries) do
    if bytes <= 0 or #found - 3 >= most then
      found[2] = 1
      return found
    end
    local fields = entry[2]
    for at = 1, #fields, 2 do
      if fields[at] == 'body' then
        found[#found + 1] = fields[at + 1]
        bytes = bytes - #fields[at + 1]
      end
    end
    found[1] = entry[1]
  end
until #entries < 16
return found
