-- Appends entries in the epoch that the caller knows, and no other, and only with the settings in force: how
-- long the caller waits for others rests on them. Never creates the header (an empty log would grant leases).
-- The registry in the answer is from the same instant: whoever joins later reads these entries in its first
-- read, so listing and appending cannot miss each other.
--
-- ARGV: 1 epoch, 2 key of the calling process, 3 channel, 4 settings, then for each pack: random part of its
-- id, number of its entries, its bytes.
-- Answer: "ok", last id before, id of the last pack, registry; or "epoch" when the caller must look again.
--
-- A pack's id is number-random. The number is that of its last entry, one more than the last id for each
-- entry, so that every entry has a number; the random part makes a stream that was lost and grew again
-- different from the one that was lost.
local head = redis.call('HMGET', fleet, 'epoch', 'run', 'tail', 'settings')
local before = last_id()
if head[1] ~= ARGV[1] or head[4] ~= ARGV[4] or not is_same_history(run_id(), head[2], before, head[3]) then
  return { 'epoch' }
end

local number, id = tonumber(string.match(before, '^(%d+)')), before

local function add(command, i)
  local reached = number + tonumber(ARGV[i + 1])
  local name = string.format('%.0f', reached) .. '-' .. ARGV[i]
  local reply = command('XADD', log, name, 'e', ARGV[i + 2])
  if type(reply) ~= 'table' then
    number, id = reached, name
  end
  return reply
end

-- Redis remembers the largest id that ever was, also of an entry that somebody has deleted, and takes no smaller
-- one: the numbers go on from there.
local refused = add(redis.pcall, 5)
if type(refused) == 'table' then
  if string.find(refused.err, 'equal or smaller') then
    local info = redis.call('XINFO', 'STREAM', log)
    for i = 1, #info, 2 do
      before = info[i] == 'last-generated-id' and info[i + 1] or before
    end
    number = tonumber(string.match(before, '^(%d+)'))
  end
  add(redis.call, 5)
end

local heading, packs, size = { '1', ARGV[1], ARGV[2], before }, {}, 0
for i = 5, #ARGV, 3 do
  if i > 5 then
    add(redis.call, i)
  end
  heading[#heading + 1] = id
  heading[#heading + 1] = #ARGV[i + 2]
  packs[#packs + 1] = ARGV[i + 2]
  size = size + #ARGV[i + 2]
end
redis.call('HSET', fleet, 'tail', id)
local processes = registry()

-- Last, and guarded: a denied PUBLISH must not fail a call whose entries are kept. Large batches are
-- announced without their bytes; subscribers then read them.
if size > 65536 then
  heading, packs = { '1', ARGV[1], ARGV[2], before, id, 0 }, {}
end
redis.pcall('PUBLISH', ARGV[3], table.concat(heading, ' ') .. '\n' .. table.concat(packs))
return { 'ok', before, id, processes }
