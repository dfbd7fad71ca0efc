-- Deliveries: taking messages with their leases, and showing who holds them.

-- unacked_index ttl_ms | tag id, for each delivery -> 1. A worker shows that it lives and still holds these deliveries.
-- id: of a task whose lease came with the delivery and whose work has begun, else ""; its lease is good for ttl_ms more.
function ops.hold(index, ttl, ...)
  local held = { ... }
  for i = 1, #held, 2 do
    local tag, id = held[i], held[i + 1]
    call('ZADD', index, 'XX', now / 1000, tag)
    if id ~= '' and call('HGET', P .. 'holder', id) == tag then
      call('ZADD', P .. 'claimed', 'XX', 'GT', now + tonumber(ttl), id)
    end
  end
  return 1
end

-- unacked_index ms most -> the deliveries that nobody has shown to hold for so long
function ops.abandoned(index, ms, most)
  return call('ZRANGEBYSCORE', index, '-inf', (now - tonumber(ms)) / 1000, 'LIMIT', 0, most)
end

-- The id of a message whose publisher says that its request may be repeated blindly; nothing for any other.
local function early(message)
  -- A message may be megabytes long, and all of that is its body: look for the plain text first.
  local headers = message:find('"headers":', 1, true)
  local blindly = headers and message:find('"blindly":', headers, true)
  if blindly and message:find('^"blindly":%s*true', blindly) then
    return message:match('"id":%s*"([^"\\]+)"', headers)
  end
end

-- Claim the leases of messages that are being taken, as far as nothing speaks against it; whatever does is left to
-- ops.claim. claims: id -> delivery; returns those that were claimed.
local function claim_early(ids, claims, ttl)
  local marks, claimed, holders, deadlines = {}, {}, {}, {}
  for i, id in ipairs(ids) do marks[i] = key('revoked', id) end
  if call('EXISTS', P .. 'paused', unpack(marks)) > 0 then return {} end
  local granted = call('ZMSCORE', P .. 'granted', unpack(ids))
  local special = { {}, {}, {} }
  for n, what in ipairs({ 'attempts', 'expires', 'roomless' }) do
    if call('EXISTS', P .. what) == 1 then special[n] = call('HMGET', P .. what, unpack(ids)) end
  end
  for i, id in ipairs(ids) do
    local plain = not (special[1][i] or special[2][i] or special[3][i])
    if plain and granted[i] and tonumber(granted[i]) > now and not claimed[id] then
      claimed[id] = true
      claimed[#claimed + 1] = id
      holders[#holders + 1], holders[#holders + 2] = id, claims[id]
      deadlines[#deadlines + 1], deadlines[#deadlines + 2] = now + tonumber(ttl), id
    end
  end
  if #claimed > 0 then
    call('ZREM', P .. 'granted', unpack(claimed))
    call('ZADD', P .. 'claimed', unpack(deadlines))
    call('HSET', P .. 'holder', unpack(holders))
  end
  return claimed
end

-- unacked unacked_index tag ttl_ms most lists queue… wake… -> {queue, message, id, queue, message, id, …}
-- Take messages from the queues in turn, record them as unacknowledged and claim their leases, atomically: a worker that
-- dies at any instruction has either not taken a message or is on record as holding it.
--   unacked   hash tag -> [message, exchange, queue]          unacked_index  zset tag -> time
--   tag       of this delivery, never used before; its messages have tags tag .. ":1", tag .. ":2", …
--   most      how many messages to take at most; lists  how many lists the queues have, in the order to look
--   wake…     the lists that a worker sleeps on: where every queue is empty their tokens are stale, and go
--   id        of the task whose lease was claimed, "" where a claim has to be asked for
-- A queue's lists for Celery's priorities are named queue .. "\6\22" .. priority; it is recorded under its plain name.
function ops.take(unacked, index, tag, ttl, most, lists, ...)
  local names, taken, records, times = { ... }, {}, {}, {}
  local looked, ids, claims = {}, {}, {}
  most = tonumber(most)
  for i = 1, tonumber(lists) do looked[i] = names[i] end
  while #looked > 0 and #taken < 3 * most do
    local found = {}
    for _, list in ipairs(looked) do
      if #taken == 3 * most then break end
      local message = call('RPOP', list)
      if message then
        found[#found + 1] = list
        local delivery, id = tag .. ':' .. (#taken / 3 + 1), early(message)
        local count = #records
        records[count + 1], records[count + 2] = delivery, '[' .. message .. ',"","' .. list:match('^[^\6]*') .. '"]'
        times[count + 1], times[count + 2] = now / 1000, delivery
        if id and not claims[id] then
          ids[#ids + 1], claims[id] = id, delivery
        end
        count = #taken
        taken[count + 1], taken[count + 2], taken[count + 3] = list, message, ''
      end
    end
    looked = found
  end
  if #taken == 0 then
    for i = tonumber(lists) + 1, #names do call('DEL', names[i]) end
    return taken
  end
  call('HSET', unacked, unpack(records))
  call('ZADD', index, unpack(times))
  for _, id in ipairs(#ids > 0 and claim_early(ids, claims, ttl) or {}) do
    taken[3 * tonumber(claims[id]:match('(%d+)$'))] = id
  end
  return taken
end
