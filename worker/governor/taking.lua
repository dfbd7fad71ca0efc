-- Deliveries and the leases that go with them: taking, claiming, putting back.

-- unacked_index tag… -> 1. A worker shows that it lives and still holds these deliveries.
function ops.hold(index, ...)
  for _, tag in ipairs({ ... }) do call('ZADD', index, 'XX', now / 1000, tag) end
  return 1
end

-- unacked_index ms most -> the deliveries that nobody has shown to hold for so long
function ops.abandoned(index, ms, most)
  return call('ZRANGEBYSCORE', index, '-inf', (now - tonumber(ms)) / 1000, 'LIMIT', 0, most)
end

-- unacked unacked_index tag queue line spec lane id message -> 1 if the delivery was still on record
-- What a worker held goes back: to the head of its waiting list or, with line "", of its queue. A lease that nobody has
-- claimed would go with it, and nobody can claim it while it waits: it returns unused. The first write frees memory:
-- after it, a server that is full lets the rest pass.
function ops.restore(unacked, index, tag, queue, line, spec, lane, id, message)
  local held = call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  if held == 0 then return 0 end
  drop_failure(id)  -- it goes on, though it had failed before that was told to those who follow it
  if line == '' then
    call('RPUSH', queue, message)
  else
    enter_line(line, spec)
    if call('ZSCORE', P .. 'granted', id) then close_lease(id, false) end
    enqueue(line, lane, id, message, now, true)
  end
  return 1
end

-- -> number of tasks released
function ops.tick()
  local idle = true
  for _, what in ipairs({ 'due', 'granted', 'claimed', 'expiring' }) do
    idle = idle and #call('ZRANGEBYSCORE', P .. what, '-inf', now, 'LIMIT', 0, 1) == 0
  end
  if idle then return 0 end
  sweep()
  expire()
  return serve_due(200)
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
      for _, value in ipairs({ id, claims[id] }) do holders[#holders + 1] = value end
      for _, value in ipairs({ now + tonumber(ttl), id }) do deadlines[#deadlines + 1] = value end
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
-- Take messages from the queues in turn, record them as unacknowledged and claim their leases, in one step: a worker that
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
        records[#records + 1] = delivery
        records[#records + 1] = '[' .. message .. ',"","' .. list:match('^[^\6]*') .. '"]'
        times[#times + 1] = now / 1000
        times[#times + 1] = delivery
        if id and not claims[id] then
          ids[#ids + 1], claims[id] = id, delivery
        end
        for _, value in ipairs({ list, message, '' }) do taken[#taken + 1] = value end
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

-- id ttl_ms unrepeatable holder -> state, attempts used so far, reason, how often there was no room for its result
--   state   ok | none (no lease) | unknown (was sent before) | revoked | expired: it must not be sent any more
-- holder tells deliveries apart: the same one may ask again when the connection broke before it had the reply.
function ops.claim(id, ttl, unrepeatable, holder)
  local function used(what) return tonumber(call('HGET', P .. what, id)) or 0 end
  if call('HGET', P .. 'holder', id) == holder then return { 'ok', used('attempts'), '', used('roomless') } end
  local deadline = tonumber(call('ZSCORE', P .. 'granted', id))
  local reason = call('GET', key('revoked', id))
  local expires = tonumber(call('HGET', P .. 'expires', id))
  -- What may have been carried out and must not be repeated is no longer a matter of being wanted.
  local sent = unrepeatable == '1' and call('EXISTS', key('sent', id)) == 1
  if reason or expires and expires <= now then
    local state = sent and 'unknown' or reason and 'revoked' or 'expired'
    if deadline then close_lease(id, false) end
    return { state, used('attempts'), reason or '', 0 }
  end
  if not deadline or deadline <= now then return { 'none', 0, '', 0 } end
  if call('EXISTS', P .. 'paused') == 1 then
    local queue, line = call('HGET', P .. 'lease', id):match('^([^|]*)|(.*)$')
    local may, probe = paused(line, queue)
    -- It was released before the pause. What is tried meanwhile has been released since.
    if may == 0 and not probe then
      close_lease(id, false)
      return { 'none', 0, '', 0 }
    end
  end
  if sent then
    close_lease(id, false)
    return { 'unknown', used('attempts'), '', 0 }
  end
  if unrepeatable == '1' then call('SET', key('sent', id), now, 'PX', 7 * DAY) end
  call('ZREM', P .. 'granted', id)
  call('ZADD', P .. 'claimed', now + tonumber(ttl), id)
  call('HSET', P .. 'holder', id, holder)
  return { 'ok', used('attempts'), '', used('roomless') }
end

-- line spec id ttl_ms -> 0 if leased, -1 if somebody has paused it, else ms to wait. For a request made in the
-- caller's own process; where Klaviyo has refused the account, such a request may be the one that finds it right again.
function ops.reserve(line, spec_text, id, ttl)
  if is_leased(id) then return 0 end  -- asked again because the connection broke before the reply
  local may, probe = paused(line, spec_text:match('^[^;]*'))
  if may == 0 and not probe then return -1 end
  enter_line(line, spec_text)
  sweep()
  local spec = parse(spec_text)
  for _, b in ipairs(spec.buckets) do
    load_bucket(b)
    call('ZREM', key('wanted', b.name), id)
    b.wanted = 0
  end
  mark_urgent(spec_text)
  local at, fallback = next_grant(spec, born(), 'now', blocked_until(line, spec), 1)
  if not at or at > now then
    local wait = math.max(1, (at or fallback) - now)
    for _, b in ipairs(spec.buckets) do
      local wanted = key('wanted', b.name)
      call('ZADD', wanted, now + wait + 2000, id)
      call('PEXPIRE', wanted, wait + 2000)
    end
    return wait
  end
  open_leases({ id }, line, spec, 'claimed', tonumber(ttl), '')
  return 0
end
