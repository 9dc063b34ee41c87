-- Counts in a sliding window: the window before counts by the part of it that still lies within reach, which
-- needs two numbers a caller instead of a time for each call.
-- KEYS[1]: the caller. ARGV: the limit, the window in ms, how many permits (0: only look).
-- Answers 0 when they are granted, else after how many ms it makes sense to ask again.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, length, permits = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, into = math.floor(now / length), now % length
local known = redis.call('HMGET', KEYS[1], 'window', 'count', 'before')
local count, before = tonumber(known[2]) or 0, tonumber(known[3]) or 0
local last = tonumber(known[1])
if last == window - 1 then
  before, count = count, 0
elseif last ~= window then
  before, count = 0, 0
end
local wanted = math.max(permits, 1)
if count + before * (length - into) / length + wanted > limit then
  if count + wanted > limit or before == 0 then
    return length - into
  end
  return math.max(1, math.ceil(length - into - (limit - count - wanted) * length / before))
end
if permits > 0 then
  redis.call('HSET', KEYS[1], 'window', window, 'count', count + permits, 'before', before)
  redis.call('PEXPIRE', KEYS[1], 2 * length)
end
return 0
