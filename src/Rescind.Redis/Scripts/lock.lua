-- Compare and swap of the lock of the compaction.
--
-- ARGV: 1 the value that it must have, empty: none; 2 its new value, empty: none.
-- Answer: 1 when it was swapped.
if (redis.call('HGET', fleet, 'lock') or '') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('HDEL', fleet, 'lock')
else
  redis.call('HSET', fleet, 'lock', ARGV[2])
end
return 1
