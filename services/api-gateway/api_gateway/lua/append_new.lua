#!lua
-- Append messages to a feed's stream, except those whose mid is among the newest that were appended.
-- The mids are in two hashes of which the newer one replaces the older one when it is full. The value of a mid is the
-- fingerprint of its message.
-- KEYS: the stream, the newer mids, the older mids.
-- ARGV: mids of a full hash, seconds to keep the hashes, traceparent, then mid, fingerprint, kind and body of each
-- message. A message without a body is only looked up. Returns for each message 1 if it was appended, 0 if it is
-- repeated, -1 if another message has its mid, and -2 if it was only looked up and its mid is not known.
local stream, newer, older = KEYS[1], KEYS[2], KEYS[3]
local full, kept_s, traceparent = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local results = {}
for at = 4, #ARGV, 4 do
  local mid, fingerprint = ARGV[at], ARGV[at + 1]
  local known = redis.call('HGET', newer, mid) or redis.call('HGET', older, mid)
  if not known and ARGV[at + 3] == '' then
    results[#results + 1] = -2
  elseif not known then
    -- Append before remembering the mid: if Redis cannot append, the script ends here, and a retry must not find it.
    redis.call('XADD', stream, '*', 'kind', ARGV[at + 2], 'body', ARGV[at + 3], 'traceparent', traceparent)
    redis.call('HSET', newer, mid, fingerprint)
    results[#results + 1] = 1
  elseif known == fingerprint then
    results[#results + 1] = 0
  else
    results[#results + 1] = -1
  end
end
if redis.call('HLEN', newer) >= full then
  redis.call('RENAME', newer, older)
end
redis.call('EXPIRE', newer, kept_s)
redis.call('EXPIRE', older, kept_s)
return results
