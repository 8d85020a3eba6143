#!lua
-- Append messages to a feed's stream, except those whose mid is among the newest that were appended.
-- The mids are in two sets of which the newer one replaces the older one when it is full.
-- KEYS: the stream, the newer mids, the older mids.
-- ARGV: members of a full set, seconds to keep the sets, traceparent, then mid, kind and body of each message.
-- Returns 1 for each appended message and 0 for each repeated one.
local stream, newer, older = KEYS[1], KEYS[2], KEYS[3]
local full, kept_s, traceparent = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local appended = {}
for at = 4, #ARGV, 3 do
  local mid = ARGV[at]
  if redis.call('SISMEMBER', older, mid) == 1 or redis.call('SADD', newer, mid) == 0 then
    appended[#appended + 1] = 0
  else
    redis.call('XADD', stream, '*', 'kind', ARGV[at + 1], 'body', ARGV[at + 2], 'traceparent', traceparent)
    appended[#appended + 1] = 1
  end
end
if redis.call('SCARD', newer) >= full then
  redis.call('RENAME', newer, older)
end
redis.call('EXPIRE', newer, kept_s)
redis.call('EXPIRE', older, kept_s)
return appended
