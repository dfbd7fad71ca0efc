-- Tasks that have failed for good: kept until they are replayed or dropped, or are too old or too many.
--   failures         hash    id -> "group|record"                    failure_groups hash  group -> what it is of, JSON
--   failed           zset    id -> when it failed (ms)               failed:<group> zset  the same of one group
--   failure_bytes    string  bytes of all records

-- Take a failure out; returns true if it was there.
local function drop_failure(id)
  local stored = call('HGET', P .. 'failures', id)
  if not stored then return false end
  local group = stored:match('^[^|]*')
  call('HDEL', P .. 'failures', id)
  call('ZREM', P .. 'failed', id)
  call('ZREM', key('failed', group), id)
  call('DECRBY', P .. 'failure_bytes', #stored)
  if call('EXISTS', key('failed', group)) == 0 then call('HDEL', P .. 'failure_groups', group) end
  return true
end
