-- Leases: counted against every window from the grant until the answer has come.

-- queue: where the tasks go; "" for a request that a process makes itself
local function open_leases(ids, line, spec, state, ttl, queue)
  for _, id in ipairs(ids) do
    write_at_end('HSET', P .. 'lease', id, queue .. '|' .. line)
    write_at_end('ZADD', P .. state, now + ttl, id)
  end
  for _, b in ipairs(spec.buckets) do call('HINCRBY', key('bucket', b.name), 'flight', #ids) end
  count_out(queue, line, #ids)
end

-- Enter so many answers, which have come now, into a bucket's ring; returns its length.
local function remember(b, number)
  local ring, most, times = key('ring', b.name), 0, {}
  for _, w in ipairs(b.windows) do
    if w[1] > most then most = w[1] end
  end
  for i = 1, number do times[i] = now end
  local length = call('LPUSH', ring, unpack(times))
  if length > most + MAX_SURPLUS_ENTRIES then
    local adopted = tonumber(call('HGET', key('bucket', b.name), 'limit')) or 0
    call('LTRIM', ring, 0, math.max(most, adopted) - 1)
  end
  -- It has to outlive the longest window by any answer in it; to write that down each time would cost as much as the
  -- answer.
  if call('PTTL', ring) < b.longest + RING_MARGIN_MS then
    call('PEXPIRE', ring, b.longest * RING_MARGIN_FACTOR + RING_MARGIN_MS)
  end
  return length
end

-- Set when a line is looked at after leases of it have been closed. What waited for a time that is known waits for it
-- still: an answer takes the room that its lease had. news: unless there is more room, or one was not enough to tell;
-- earliest: no request of it can go before.
local function look_again(line, news, earliest)
  if news then
    call('ZADD', P .. 'due', 'XX', 'LT', now, line)
  elseif earliest > now then
    call('ZADD', P .. 'due', 'XX', 'GT', earliest, line)
  else
    local at = tonumber(call('ZSCORE', P .. 'due', line))
    if at and at > now and at <= now + FALLBACK_MS then call('ZADD', P .. 'due', 'XX', now, line) end
  end
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
  load_lines(closed)
  for lease, number in pairs(counts) do
    local queue, line = lease:match('^([^|]*)|(.*)$')
    count_out(queue, line, -number)
    if queue ~= '' then let_in_again(queue, account_of(line)) end
    local spec, news, earliest = load_line(line), not used, 0
    for _, b in ipairs(spec and spec.buckets or {}) do
      local flight = call('HINCRBY', key('bucket', b.name), 'flight', -number)
      if used and remember(b, number) == number then news = true end
      for _, w in ipairs(b.windows) do
        -- These answers alone fill the window.
        if w[2] ~= MINUTE_MS and w[1] - flight <= number then earliest = math.max(earliest, now + w[2] + ROUNDING_MS) end
      end
    end
    if spec then look_again(line, news, earliest) end
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

-- By queue: how many messages have come.
local arrived = {}

-- Wake as many workers as sleep, up to the number of messages that have come.
local function wake(queue, number)
  arrived[queue] = (arrived[queue] or 0) + number
end

afterwards[2] = function()
  for queue, number in pairs(arrived) do
    local tokens = {}
    for i = 1, math.min(number, MAX_TOKENS) do tokens[i] = 1 end
    local length = call('LPUSH', key('wake', queue), unpack(tokens))
    if length > MAX_TOKENS then call('LTRIM', key('wake', queue), 0, MAX_TOKENS - 1) end
  end
end

local function send_off(ids, messages, line, spec)
  open_leases(ids, line, spec, 'granted', GRANT_TTL_MS, spec.queue)
  for _, message in ipairs(messages) do write_at_end('LPUSH', spec.queue, message) end
  wake(spec.queue, #ids)
end
