#!lua flags=allow-oom
-- Publish many messages in one command: the overhead of a command is larger than the cost of publishing.
-- ARGV: channel and body of each message, alternating.
for i = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end
