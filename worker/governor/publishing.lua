-- Publish tasks, messages, results and bindings.

-- When a task expires, from what a publisher says: "+ms" from now, or a moment in ms; "" for never.
local function set_expiry(id, expires)
  if expires == '' then return end
  local at = tonumber(expires)
  call('HSET', P .. 'expires', id, expires:sub(1, 1) == '+' and now + at or at)
end

-- True if the publisher of a revoked id is to be refused. A worker is not: what follows a task is published even if its
-- id is revoked, and ends as REVOKED, with all that Celery does then.
local function stays_revoked(id, urgent)
  return urgent ~= '1' and call('EXISTS', key('revoked', id)) == 1
end

-- line spec lane id message delay_ms expires urgent share carrier -> number of tasks of the line that were released, -1
-- if revoked
-- A task is published once, however often a broken connection makes the publisher say it. urgent: 1 where a worker
-- says it, which works off what waits by that, so that a server that is full must take it. share, carrier: as above,
-- "" for one that goes alone.
function ops.wait(line, spec, lane, id, message, delay, expires, urgent, share, carrier)
  if urgent == '1' then even_if_full() end
  if stays_revoked(id, urgent) then return -1 end
  if call('EXISTS', key('once', id)) == 1 then return 0 end
  enter_line(line, spec)
  set_expiry(id, expires)
  if lane == 'now' then mark_urgent(spec) end
  enqueue(line, lane, id, message, now + tonumber(delay), false, share, carrier)
  -- Last: what has failed before it is not known, and is published by the next try.
  call('SET', key('once', id), 1, 'PX', ONCE)
  local due = tonumber(call('ZSCORE', P .. 'due', line))
  return due and due <= now and serve(line, born()) or 0
end

-- line spec lane delay_ms expires carrier | id "lane|line|share\nmessage", for each task -> 1, or 0 if said before. New
-- tasks of one line, whose ids nobody else knows; the first of them tells whether this has been said already.
function ops.wait_all(line, spec, lane, delay, expires, carrier, ...)
  local stored, ids = { ... }, {}
  if call('EXISTS', key('once', stored[1])) == 1 then return 0 end
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
  call('SET', key('once', ids[1]), 1, 'PX', ONCE)
  if at == now then serve(line, born()) end
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

local function publish(name, value, ttl)
  if ttl == '0' then call('SET', name, value) else call('SET', name, value, 'EX', ttl) end
  call('PUBLISH', name, value)
end

-- Whether a result tells an end.
local function has_ended(name)
  local told = (call('GET', name) or ''):sub(1, 40)
  for _, state in ipairs({ 'SUCCESS', 'FAILURE', 'REVOKED' }) do
    if told:find('"' .. state .. '"', 1, true) then return true end
  end
end

-- key value ttl_s urgent early -> 1. Store a result and tell who listens. urgent: 1 where a server that is full must
-- take it. early: 1 where it is no end; it is not stored over one, which may have come in between.
function ops.store(name, value, ttl, urgent, early)
  if urgent == '1' then even_if_full() end
  if early == '1' and has_ended(name) then return 0 end
  publish(name, value, ttl)
  return 1
end

-- -> 1. A server that is full refuses it.
function ops.room()
  call('SET', P .. 'room', 1, 'PX', 1000)
  return 1
end

-- most -> how many. There is room again: what waits for it later than now, so many at most, is tried at once.
function ops.use_room(most)
  local woken = 0
  for _, id in ipairs(call('HRANDFIELD', P .. 'roomless', most)) do
    local lane, line = find(id)
    local item = lane and lane .. '|^' .. id
    local at = item and tonumber(call('ZSCORE', key('later', line), item))
    if at and at > now then
      call('ZADD', key('later', line), now, item)
      call('ZADD', P .. 'due', 'LT', now, line)
      woken = woken + 1
    end
  end
  return woken
end

-- member urgent set… -> 1. Bind a queue; urgent as above.
function ops.bind(member, urgent, ...)
  if urgent == '1' then even_if_full() end
  for _, set in ipairs({ ... }) do call('SADD', set, member) end
  return 1
end
