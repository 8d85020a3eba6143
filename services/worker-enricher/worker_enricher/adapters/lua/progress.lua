-- KEYS: the stream. ARGV: the group. Returns the last id that the group delivered, and 1 if the stream has an
-- entry after it, else 0. Returns nil if there is no such group.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields['name'] == ARGV[1] then
    local last = fields['last-delivered-id']
    return {last, #redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)}
  end
end
return false
