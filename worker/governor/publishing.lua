-- Publish tasks and messages.

-- True if the publisher of a revoked id is to be refused. A worker is not: what follows a task is published even if its
-- id is revoked, and ends as REVOKED, with all that Celery does then.
local function stays_revoked(id, urgent)
  return urgent ~= '1' and call('EXISTS', key('revoked', id)) == 1
end

-- line spec lane id message delay_ms expires urgent share carrier -> number of tasks of the line that were released, -1
-- if revoked, -2 if it has been published before
-- A task is published once, however often a broken connection makes the publisher say it. urgent: 1 where a worker
-- says it, which works off what waits by that, so that a server that is full must take it. share, carrier: as above,
-- "" for one that goes alone.
function ops.wait(line, spec, lane, id, message, delay, expires, urgent, share, carrier)
  if urgent == '1' then even_if_full() end
  if stays_revoked(id, urgent) then return -1 end
  if call('EXISTS', key('once', id)) == 1 then
    call('PEXPIRE', key('once', id), ONCE_MS)  -- so that replicas have something to confirm
    return -2
  end
  enter_line(line, spec)
  set_expiry(id, expires)
  if lane == 'now' then mark_urgent(spec) end
  enqueue(line, lane, id, message, now + tonumber(delay), false, share, carrier)
  -- Last: what has failed before it is not known, and is published by the next try.
  call('SET', key('once', id), 1, 'PX', ONCE_MS)
  return serve_if_due(line)
end

-- line spec lane delay_ms expires carrier | id "lane|line|share\nmessage", for each task -> 1, or 0 if said before. New
-- tasks of one line, whose ids nobody else knows; the first of them tells whether this has been said already.
function ops.wait_all(line, spec, lane, delay, expires, carrier, ...)
  local stored, ids = { ... }, {}
  if call('EXISTS', key('once', stored[1])) == 1 then
    call('PEXPIRE', key('once', stored[1]), ONCE_MS)  -- as above
    return 0
  end
  enter_line(line, spec)
  enter_carrier(line, carrier)
  if lane == 'now' then mark_urgent(spec) end
  for i = 1, #stored, 2 do
    ids[#ids + 1] = stored[i]
    set_expiry(stored[i], expires)
  end
  call('HSET', P .. 'waiting', unpack(stored))
  local at = now + tonumber(delay)
  for _, id in ipairs(expires ~= '' and ids or {}) do
    call('ZADD', P .. 'expiring', call('HGET', P .. 'expires', id), id)
  end
  if at > now then
    for _, id in ipairs(ids) do call('ZADD', key('later', line), at, lane .. '|' .. id) end
  else
    call('LPUSH', key(lane, line), unpack(ids))
  end
  call('ZADD', P .. 'due', 'LT', at, line)
  call('SET', key('once', ids[1]), 1, 'PX', ONCE_MS)
  if at == now then serve_if_due(line) end
  return 1
end

-- list queue id message urgent -> 1, or -1 if revoked. A message that has no line; urgent as above.
function ops.put(list, queue, id, message, urgent)
  if urgent == '1' then even_if_full() end
  if stays_revoked(id, urgent) then return -1 end
  call('LPUSH', list, message)
  wake(queue, 1)
  return 1
end

-- list message id… -> 1 if all of them were still to be had: a publication that no replica has confirmed is taken back.
-- Where a worker has one of them already, all stay: published once more, they are known. list: where `put` has put the
-- message; "" for tasks with a line
function ops.take_back(list, message, ...)
  if list ~= '' then return call('LREM', list, 1, message) end
  for _, id in ipairs({ ... }) do
    if not find(id) then return 0 end
  end
  for _, id in ipairs({ ... }) do
    local lane, line = find(id)
    take_out(id, lane, line)
    call('HDEL', P .. 'expires', id)
    call('DEL', key('once', id))
  end
  return 1
end
