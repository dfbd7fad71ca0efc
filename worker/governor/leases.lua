-- Leases: counted against every window from the grant until the answer has come.

local function free_slots(queue)
  if not room[queue] then
    local slots = tonumber(call('HGET', P .. 'slots', queue)) or 0
    room[queue] = slots - (tonumber(call('HGET', P .. 'out', queue)) or 0)
  end
  return room[queue]
end

-- queue "": of requests that processes make themselves, which take no worker's slot
local function count_out(queue, number)
  if queue == '' then return end
  call('HINCRBY', P .. 'out', queue, number)
  if room[queue] then room[queue] = room[queue] - number end
end

-- queue: where the tasks go; "" for a request that a process makes itself
local function open_leases(ids, line, spec, state, ttl, queue)
  local leases, deadlines = {}, {}
  for i, id in ipairs(ids) do
    leases[2 * i - 1], leases[2 * i] = id, queue .. '|' .. line
    deadlines[2 * i - 1], deadlines[2 * i] = now + ttl, id
  end
  for _, b in ipairs(spec.buckets) do call('HINCRBY', key('bucket', b.name), 'flight', #ids) end
  count_out(queue, #ids)
  call('HSET', P .. 'lease', unpack(leases))
  call('ZADD', P .. state, unpack(deadlines))
end

-- Enter so many answers, which have come now, into a bucket's ring.
local function remember(b, number)
  local ring, most, times = key('ring', b.name), 0, {}
  local adopted = tonumber(call('HGET', key('bucket', b.name), 'limit')) or 0
  for _, w in ipairs(b.windows) do
    if w[1] > most then most = w[1] end
  end
  if adopted > most then most = adopted end
  for i = 1, number do times[i] = now end
  call('LPUSH', ring, unpack(times))
  call('LTRIM', ring, 0, most - 1)
  call('PEXPIRE', ring, b.longest + 10000)
end

-- Close leases; returns the line of each, or false. used: the requests may have reached Klaviyo, so every window
-- remembers them.
local function close_leases(ids, used)
  local leases, counts, closed = call('HMGET', P .. 'lease', unpack(ids)), {}, {}
  if call('ZREM', P .. 'claimed', unpack(ids)) < #ids then call('ZREM', P .. 'granted', unpack(ids)) end
  call('HDEL', P .. 'lease', unpack(ids))
  call('HDEL', P .. 'holder', unpack(ids))
  for i, lease in ipairs(leases) do
    if lease then counts[lease] = (counts[lease] or 0) + 1 end
    closed[i] = lease and lease:match('|(.*)$')
  end
  for lease, number in pairs(counts) do
    local queue, line = lease:match('^([^|]*)|(.*)$')
    count_out(queue, -number)
    local spec = load_line(line)
    for _, b in ipairs(spec and spec.buckets or {}) do
      call('HINCRBY', key('bucket', b.name), 'flight', -number)
      if used then remember(b, number) end
    end
    if spec then call('ZADD', P .. 'due', 'LT', now, line) end
  end
  return closed
end

-- Close one lease; returns its line and what that is, where it was out.
local function close_lease(id, used)
  local line = close_leases({ id }, used)[1]
  local spec = line and load_line(line)
  if spec then return line, spec end
end

local function is_leased(id)
  return call('HEXISTS', P .. 'lease', id) == 1
end

local function lease_deadline(id)
  return tonumber(call('ZSCORE', P .. 'claimed', id) or call('ZSCORE', P .. 'granted', id)) or now
end

-- Wake as many workers as sleep, up to the number of messages that have come.
local function wake(queue, number)
  local tokens = {}
  for i = 1, number do tokens[i] = 1 end
  call('LPUSH', key('wake', queue), unpack(tokens))
  call('LTRIM', key('wake', queue), 0, 63)
end

local function send_off(ids, messages, line, spec)
  open_leases(ids, line, spec, 'granted', GRANT_TTL, spec.queue)
  call('LPUSH', spec.queue, unpack(messages))
  wake(spec.queue, #ids)
end
