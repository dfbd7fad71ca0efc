-- Take one message from the first queue that has one and record it as unacknowledged, in one step: a worker that
-- dies at any instruction has either not taken it or is on record as holding it.
--
-- KEYS[1] unacked (hash tag -> [message, exchange, queue])   KEYS[2] unacked_index (zset tag -> time)
-- KEYS[3…] the queues, in the order to look
-- ARGV[1] tag of this delivery, never used before   ARGV[2] number of lists a worker sleeps on, at the end of KEYS
-- A queue's lists for Celery's priorities are named queue .. "\6\22" .. priority; it is recorded under its plain name.
-- Result: {queue, message}, or nil when every queue is empty; then the wake-up tokens are stale and go

local sleeps = tonumber(ARGV[2])
for i = 3, #KEYS - sleeps do
  local message = redis.call('RPOP', KEYS[i])
  if message then
    local time = redis.call('TIME')
    redis.call('HSET', KEYS[1], ARGV[1], '[' .. message .. ',"","' .. KEYS[i]:match('^[^\6]*') .. '"]')
    redis.call('ZADD', KEYS[2], time[1] + time[2] / 1000000, ARGV[1])
    return { KEYS[i], message }
  end
end
for i = #KEYS - sleeps + 1, #KEYS do redis.call('DEL', KEYS[i]) end
return nil
