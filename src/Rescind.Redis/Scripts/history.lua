-- What every script of Rescind begins with. KEYS[1] is the stream, KEYS[2] the fleet hash; neither ever gets
-- a TTL, or volatile-* eviction would take the log.
--
-- An epoch is one history of this log on one run of one master. The hash names it, with the run of the master
-- and the last id of the stream as they were left. If either is different now, entries may be missing: the
-- server was restarted, replaced or promoted, or somebody removed the stream.
local log, fleet = KEYS[1], KEYS[2]

-- The server's run_id and the id of what it replicates; empty where the service refuses INFO. Then only the
-- stream's last id and the inclusive read tell histories apart, and the self-check says so. The run_id alone
-- would not notice a master that was demoted, lost entries to the next one, and is the master again. The
-- second answer is INFO replication as the service gave it.
local function run_id()
  local server, replication = redis.pcall('INFO', 'server'), redis.pcall('INFO', 'replication')
  local run = type(server) == 'string' and string.match(server, 'run_id:(%x+)')
  local replicated = type(replication) == 'string' and string.match(replication, 'master_replid:(%x+)')
  return run and run .. ':' .. (replicated or '') or '', replication
end

-- The id of the newest entry; 0-0 for an empty stream.
local function last_id()
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  return newest and newest[1] or '0-0'
end

local function is_same_history(run, known_run, last, known_last)
  return last == known_last and (run == '' or run == known_run)
end

-- Every registered process: field "p:" and its key, then its record. Flat, as HGETALL gives it.
local function registry()
  local all, found = redis.call('HGETALL', fleet), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'p:' then
      found[#found + 1] = string.sub(all[i], 3)
      found[#found + 1] = all[i + 1]
    end
  end
  return found
end
