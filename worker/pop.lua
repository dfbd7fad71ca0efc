-- Take messages from the queues in turn and record them as unacknowledged, in one step: a worker that dies at any
-- instruction has either not taken a message or is on record as holding it.
--
-- KEYS[1] unacked (hash tag -> [message, exchange, queue])   KEYS[2] unacked_index (zset tag -> time)
-- KEYS[3…] the queues' lists, in the order to look; at the end the lists that a worker sleeps on
-- ARGV[1] tag of this delivery, never used before; its messages have tags tag .. ":1", tag .. ":2", …
-- ARGV[2] number of lists a worker sleeps on   ARGV[3] how many messages to take at most
-- A queue's lists for Celery's priorities are named queue .. "\6\22" .. priority; it is recorded under its plain name.
-- Result: {queue, message, queue, message, …}; empty when every queue is, and then the wake-up tokens are stale and go

local sleeps, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local lists, taken, time = #KEYS - sleeps, {}, nil
local found = true
while found and #taken < 2 * most do
  found = false
  for i = 3, lists do
    if #taken == 2 * most then break end
    local message = redis.call('RPOP', KEYS[i])
    if message then
      found = true
      time = time or redis.call('TIME')
      local tag = ARGV[1] .. ':' .. (#taken / 2 + 1)
      redis.call('HSET', KEYS[1], tag, '[' .. message .. ',"","' .. KEYS[i]:match('^[^\6]*') .. '"]')
      redis.call('ZADD', KEYS[2], time[1] + time[2] / 1000000, tag)
      taken[#taken + 1] = KEYS[i]
      taken[#taken + 1] = message
    end
  end
end
if #taken == 0 then
  for i = lists + 1, #KEYS do redis.call('DEL', KEYS[i]) end
end
return taken
