#!lua flags=no-writes
-- Read the newest dead letters of a feed without their bodies, which may be 1 MiB each.
-- KEYS: the dead letters. ARGV: how many. Returns the number of all letters, then id and letter of each, newest first.
local found = {redis.call('XLEN', KEYS[1])}
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == 'letter' then
      found[#found + 1] = entry[1]
      found[#found + 1] = fields[at + 1]
    end
  end
end
return found
