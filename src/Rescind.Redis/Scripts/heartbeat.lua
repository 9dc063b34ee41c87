-- One heartbeat: registers this process, confirms its position if the stream holds it, reads on to the tail,
-- and carries a recovery forward. One script, because between registering and reading another process could
-- append and count on a registry that misses this one.
--
-- ARGV: 1 process key, 2 its beat counter, 3 its details (opaque), 4 settings (opaque), 5 and 6 number and
-- random part of its position ("0" "0": none), 7 how many entries to read (0: none), 8 the epoch it knows
-- ("-": none), 9 "1" when it has reported in that epoch, 10 for how many milliseconds it has watched that
-- epoch, by its monotonic clock, 11 a name for a new epoch, 12 two bounds in milliseconds, 13 channel prefix
-- of processes, 14 how many silent processes it names, 15 how many processes it remembers, 16 how many writers
-- wait for its confirmation, 17 how many servers it remembers, 18 the horizon it knows; then the silent (key and beat
-- each), the remembered, the writers.
-- Answer: "ok", epoch, state, found, at the tail, last id, horizon, seconds and microseconds of the server's
-- clock, run_id known, servers, entries (id and bytes in turn), registry, twice the longest bound of leases from
-- before an open recovery in milliseconds (0: none is open); or "settings", those in force, epoch, servers,
-- registry.
--
-- A record is: beat, epoch, number, random, tail, reported, details. Number, random, tail and reported hold
-- for that epoch only. Tail says that a read of this process has reached the tail, so it may hold a lease.
local me, beat, details, settings = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local number, random, max = ARGV[5], ARGV[6], tonumber(ARGV[7])
local known, watched, two_bounds = ARGV[8], tonumber(ARGV[10]), tonumber(ARGV[12])
local silent, remembered, writers = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])

-- A full server refuses the first write of a script that could use memory, but none after another write. A
-- heartbeat keeps only a bounded record, and must go on while appends are refused, or the fleet would go
-- blind on top.
redis.call('HDEL', fleet, '-')

local head = redis.call('HMGET', fleet, 'epoch', 'state', 'run', 'tail', 'least', 'settings', 'horizon', 'servers')
local epoch, state, least = head[1], head[2], math.min(tonumber(head[5] or '0') or 120000, 120000)
local run, replication = run_id()
local last = last_id()

local records = {}
do
  local flat = registry()
  for i = 1, #flat, 2 do
    records[flat[i]] = flat[i + 1]
  end
end

-- Compare and delete: whoever has beaten since is alive. Observations of another epoch say nothing.
local function give_up_silent()
  for at = 19, 17 + 2 * silent, 2 do
    local key, its_beat = ARGV[at], ARGV[at + 1]
    if known == epoch and key ~= me and records[key] and string.match(records[key], '^%d+') == its_beat then
      redis.call('HDEL', fleet, 'p:' .. key)
      records[key] = nil
    end
  end
end

local function remember_others()
  for at = 19 + 2 * silent, 18 + 2 * silent + remembered do
    local key = ARGV[at]
    if state == 'open' and known ~= epoch and key ~= me and not records[key] then
      records[key] = '0 - 0 0 0 0 -'
      redis.call('HSET', fleet, 'p:' .. key, records[key])
    end
  end
end

-- Whether the settings in force are nobody else's: whoever agreed to them is registered in this epoch.
local function is_alone()
  for key, record in pairs(records) do
    if key ~= me and string.match(record, '^%d+ (%S+)') == epoch then
      return false
    end
  end
  return true
end

-- A process that is refused goes on watching, so that it gives up whoever died and left its settings behind. One
-- that comes from another epoch may hold what a lost log lacks, so no recovery closes without it, nor before those
-- that run as it does had their two bounds to come.
if epoch and head[6] ~= settings then
  give_up_silent()
  if not is_alone() then
    remember_others()
    if state == 'open' and (records[me] or (known ~= '-' and known ~= epoch)) then
      redis.call('HSET', fleet, 'p:' .. me, beat .. ' - 0 0 0 0 ' .. details)
    end
    if state == 'open' and known ~= '-' and known ~= epoch and two_bounds > least then
      redis.call('HSET', fleet, 'least', two_bounds)
    end
    local servers = tonumber(head[8] or '1')
    if known ~= epoch and tonumber(ARGV[17]) > servers then
      servers = tonumber(ARGV[17])
      redis.call('HSET', fleet, 'servers', servers)
    end
    return { 'settings', head[6] or '', epoch, servers, registry() }
  end
  redis.call('HSET', fleet, 'settings', settings)
end

-- The bound in settings; the longest there can be where it cannot be read.
local function bound_in(text)
  local told = tonumber(string.match(text .. ' ', '^freshness_ms=(%d+) ') or '0')
  return told > 0 and told < 60000 and told or 60000
end

-- Opens a recovery: nobody is fresh until everybody whom anybody remembers has given back what is missing.
-- Without a header nobody is on the list, and a header that was rolled back may list nobody who holds
-- anything; so others get two bounds to come forward. Those who did not agree to these settings hold leases by
-- theirs, also when what was lost is the word that they were here.
if not epoch or not is_same_history(run, head[3], last, head[4]) then
  local before = epoch and head[6] ~= settings and 2 * bound_in(head[6] or '') or 0
  least = math.max(two_bounds, before, state == 'open' and least or 0)
  epoch, state = ARGV[11], 'open'
  redis.call('HSET', fleet, 'epoch', epoch, 'state', state, 'run', run, 'tail', last, 'least', least,
    'settings', settings)
end

-- Whoever comes from another epoch, or takes the log over, may have a longer lease, or know of one.
if state == 'open' and (known ~= epoch or head[6] ~= settings) and two_bounds > least then
  least = two_bounds
  redis.call('HSET', fleet, 'least', least)
end

give_up_silent()
remember_others()

-- Servers that follow this one, each once: what copies the data and goes, a backup or a move to elsewhere,
-- says no port or is never online, and the connection of a server that died is not acknowledged any more. A
-- service that lists none of them tells their number at least.
local function replicas_of(replication)
  if type(replication) ~= 'string' then
    return 0
  end
  local count, counted, is_listed = 0, {}, false
  for address, state, lag in string.gmatch(replication, 'slave%d+:(ip=[^,]+,port=%d+),state=([%a_]+)[^\r\n]-,lag=(%d+)') do
    is_listed = true
    if state == 'online' and not string.find(address, ',port=0$') and tonumber(lag) <= 10 and not counted[address] then
      count, counted[address] = count + 1, true
    end
  end
  return is_listed and count or tonumber(string.match(replication, 'connected_slaves:(%d+)')) or 0
end

-- The first entry at or behind the position must be the very one: same number or inside the same pack, and
-- the same random part. Otherwise this is another history, or the entry was trimmed.
local found = true
if number ~= '0' then
  local entry = redis.call('XRANGE', log, number .. '-0', '+', 'COUNT', 1)[1]
  found = entry ~= nil and string.match(entry[1], '%-(%d+)$') == random
end

local entries, reached = {}, false
if found and max > 0 then
  local from, total = number == '0' and '-' or number .. '-0', 0
  reached = last == '0-0'
  while not reached and total < max do
    local page = redis.call('XRANGE', log, from, '+', 'COUNT', 100)
    for _, entry in ipairs(page) do
      local bytes = entry[2][2] or ''
      if string.match(entry[1], '^(%d+)') ~= number then
        entries[#entries + 1] = entry[1]
        entries[#entries + 1] = bytes
        total = total + (string.byte(bytes, 2) or 0) + 256 * (string.byte(bytes, 3) or 0)
      end
    end
    reached = page[#page][1] == last
    from = '(' .. page[#page][1]
  end
end

-- This process's record.
local its_epoch, its_number, its_random, its_tail, its_report =
  string.match(records[me] or '', '^%d+ (%S+) (%d+) (%d+) ([01]) ([01])')
if its_epoch ~= epoch then
  its_number, its_random, its_tail, its_report = '0', '0', '0', '0'
end
if found and number ~= '0' then
  its_number, its_random = number, random
end
if reached then
  its_tail = '1'
end
if known == epoch and ARGV[9] == '1' then
  its_report = '1'
end
records[me] = table.concat({ beat, epoch, its_number, its_random, its_tail, its_report, details }, ' ')
redis.call('HSET', fleet, 'p:' .. me, records[me])

-- Closes the recovery once everybody has reported.
if state == 'open' and (least == 0 or (known == epoch and watched >= least)) then
  local all = true
  for _, record in pairs(records) do
    local reported_in, report = string.match(record, '^%d+ (%S+) %d+ %d+ [01] ([01])')
    all = all and reported_in == epoch and report == '1'
  end
  if all then
    state = 'closed'
    redis.call('HSET', fleet, 'state', state)
  end
end

-- Servers ever seen: a replica that is away must still be counted, or half of the servers would shrink with it.
-- A header that was lost has lost their number too; whoever comes from another epoch brings it back.
local servers = tonumber(head[8] or '1')
local seen = math.max(replicas_of(replication) + 1, known ~= epoch and tonumber(ARGV[17]) or 1)
if seen > servers or not head[8] then
  servers = math.max(seen, servers)
  redis.call('HSET', fleet, 'servers', servers)
end

-- So with the horizon, which also rises with what somebody forgot: never what has not ended.
local now, horizon = redis.call('TIME'), tonumber(head[7] or '0') or 0
if tonumber(ARGV[18]) > horizon and tonumber(ARGV[18]) <= tonumber(now[1]) then
  horizon = tonumber(ARGV[18])
  redis.call('HSET', fleet, 'horizon', horizon)
end

local flat = {}
for key, record in pairs(records) do
  flat[#flat + 1] = key
  flat[#flat + 1] = record
end
if found and number ~= '0' then
  local first = 19 + 2 * silent + remembered
  for i = first, first + writers - 1 do
    redis.pcall('PUBLISH', ARGV[13] .. ARGV[i], epoch .. ' ' .. me .. ' ' .. number)
  end
end
return { 'ok', epoch, state, found and 1 or 0, reached and 1 or 0, last, horizon, now[1], now[2],
  run ~= '' and 1 or 0, servers, entries, flat, state == 'open' and least or 0 }
