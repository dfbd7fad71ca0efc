-- Another server has taken the primary's place, and may not have heard of what was last done on the old one.

-- id -> 1 if another server was the primary before. What workers did after the last sign of life that this server has
-- may be missing here, so the windows count the most that they can have sent since (windows.lua). All times that are
-- kept here are moved as if that sign had come just now: the new primary's clock may be ahead of the old one's, or
-- behind it.
function ops.history(id)
  local known = call('GET', P .. 'history')
  if known == id then return 0 end
  call('SET', P .. 'history', id)
  if not known then return 0 end
  local alive = tonumber(call('GET', P .. 'alive')) or now
  local moved = math.min(now - alive, MAX_MISSING_MS)
  call('SET', P .. 'born', now .. '|' .. math.max(moved, MIN_MISSING_MS) .. '|' .. moved)
  local blocked = call('HGETALL', P .. 'blocked')
  for i = 1, #blocked, 2 do call('HSET', P .. 'blocked', blocked[i], tonumber(blocked[i + 1]) + moved) end
  for _, state in ipairs({ 'granted', 'claimed' }) do
    for _, leased in ipairs(call('ZRANGE', P .. state, 0, -1)) do call('ZINCRBY', P .. state, moved, leased) end
  end
  wake_all()
  return 1
end

-- tag id result_key primary unacked unacked_index -> 1 | 0. Acknowledge the delivery of a task that has ended, unless it
-- was taken from another primary: then what the task has published may be lost, so it is delivered again. A request that
-- must not be repeated ends its task all the same if its result is here, or nobody wants one (result_key ""): delivered
-- again, it could only end as unknown, which is still better than never.
function ops.acknowledge(tag, id, result_key, primary, unacked, index)
  local here = call('GET', P .. 'history') -- which has gone if somebody has flushed this server
  local is_told = call('EXISTS', key('sent', id)) == 1 and (result_key == '' or has_ended(result_key))
  if here and here ~= primary and not is_told then return 0 end
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  return 1
end

-- id holder line spec ttl_ms unrepeatable -> 1. A request that a process has under way, or has had a moment ago where
-- the line is "": what the new primary may not know of it.
function ops.under_way(id, holder, line, spec, ttl, unrepeatable)
  if unrepeatable == '1' then call('SET', key('sent', id), now, 'PX', 7 * DAY_MS) end
  if line == '' or call('HGET', P .. 'holder', id) then return 1 end
  enter_line(line, spec)
  local queue = ''
  if is_leased(id) then
    queue = call('HGET', P .. 'lease', id):match('^[^|]*')
    close_lease(id, false)
  end
  open_leases({ id }, line, load_line(line), 'claimed', tonumber(ttl), queue)
  if holder ~= '' then call('HSET', P .. 'holder', id, holder) end
  return 1
end
