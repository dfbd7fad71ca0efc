-- Tasks that have failed for good: keeping them, and repeating or dropping them.

local MAX_PRUNED = 500  -- failures that one call removes at most, so that none takes long

-- The oldest go where there are too many, or too many bytes of them; and those that are too old.
local function prune_failures(most, bytes, age)
  local dropped = 0
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'failed', '-inf', now - age, 'LIMIT', 0, MAX_PRUNED)) do
    drop_failure(id)
    dropped = dropped + 1
  end
  while dropped < MAX_PRUNED do
    local held = tonumber(call('GET', P .. 'failure_bytes')) or 0
    local id = (call('ZCARD', P .. 'failed') > most or held > bytes) and call('ZRANGE', P .. 'failed', 0, 0)[1]
    if not id then break end
    drop_failure(id)
    dropped = dropped + 1
  end
  return dropped
end

local function keep_failure(id, group, about, record, at)
  drop_failure(id)
  call('HSET', P .. 'failures', id, group .. '|' .. record)
  call('HSET', P .. 'failure_groups', group, about)
  call('ZADD', P .. 'failed', at, id)
  call('ZADD', key('failed', group), at, id)
  call('INCRBY', P .. 'failure_bytes', #group + 1 + #record)
end

-- key value ttl_s unacked unacked_index tag followed id group about record most bytes age_ms -> 1, or 0 where the
-- delivery is no longer on record: this was said before, or somebody else has the task.
-- The end of a task that has failed for good: its result is stored, key "" where nobody wants it, and the failure is
-- kept. followed: 1 where somebody has to be told before the delivery may be struck off the record.
function ops.fail(name, value, ttl, unacked, index, tag, followed, id, group, about, record, most, bytes, age)
  if name ~= '' then publish(name, value, ttl) end
  if call('HEXISTS', unacked, tag) == 0 then return 0 end
  keep_failure(id, group, about, record, now)
  prune_failures(tonumber(most), tonumber(bytes), tonumber(age))
  if followed == '1' then return 1 end
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  return 1
end

-- id group about record at_ms: a failure that has moved here from another Redis
function ops.keep_failure(id, group, about, record, at)
  keep_failure(id, group, about, record, tonumber(at))
end

-- id line spec lane new_id message -> 1 if the failure was there: it is gone, and its task waits again under the new id
function ops.replay(id, line, spec, lane, new_id, message)
  if not drop_failure(id) then return 0 end
  enter_line(line, spec)
  if lane == 'now' then mark_urgent(spec) end
  enqueue(line, lane, new_id, message, now, false, '', '')
  return 1
end

-- id… -> how many failures were dropped
function ops.drop_failures(...)
  local dropped = 0
  for _, id in ipairs({ ... }) do dropped = dropped + (drop_failure(id) and 1 or 0) end
  return dropped
end

-- most bytes age_ms -> how many failures were dropped because they are too old or too many
function ops.prune_failures(most, bytes, age)
  return prune_failures(tonumber(most), tonumber(bytes), tonumber(age))
end
