-- Store results and bindings, and tell whether there is room for them and whether replicas have them.

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
  call('SET', P .. 'room', 1, 'PX', SECOND_MS)
  return 1
end

-- -> 1. Written so that replicas have something to confirm, and with it all that was written before.
function ops.confirm()
  call('SET', P .. 'confirmed', 1, 'PX', SECOND_MS)
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
