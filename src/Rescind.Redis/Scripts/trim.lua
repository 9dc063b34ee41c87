-- The last step of a compaction: raises the horizon and drops the head of the stream, in one step, so that no
-- entry is gone before the horizon says so. Only in the epoch in which everything live below was carried
-- forward and confirmed, only by the process that holds the lock, and never the newest entry.
--
-- ARGV: 1 epoch, 2 lock value of the caller, 3 first id to keep, 4 latest expiry that is dropped.
-- Answer: "ok" and the number of packs dropped; "epoch" or "lock" when the compaction must stop.
local head = redis.call('HMGET', fleet, 'epoch', 'run', 'tail', 'lock', 'horizon')
local last = last_id()
if head[1] ~= ARGV[1] or not is_same_history(run_id(), head[2], last, head[3]) then
  return { 'epoch' }
end
if head[4] ~= ARGV[2] then
  return { 'lock' }
end
local keep = ARGV[3]
if tonumber(string.match(keep, '^(%d+)')) > tonumber(string.match(last, '^(%d+)')) then
  keep = last
end
-- XTRIM comes second, so a full server would refuse the first; deleting nothing lets the rest pass.
redis.call('HDEL', fleet, '-')
if tonumber(ARGV[4]) > tonumber(head[5] or '0') then
  redis.call('HSET', fleet, 'horizon', ARGV[4])
end
return { 'ok', redis.call('XTRIM', log, 'MINID', keep) }
