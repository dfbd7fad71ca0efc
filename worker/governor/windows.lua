-- Lines, their buckets, and when the windows of these leave room for the next request.

local shared

-- Whose buckets an account draws on: its own, or those of another one with a key of the same company (joining.lua).
local function budget_of(account)
  if shared == nil then shared = call('EXISTS', P .. 'shared') == 1 and {} end
  if not shared then return account end
  if not shared[account] then shared[account] = call('HGET', P .. 'shared', account) or account end
  return shared[account]
end

local function parse(spec)
  local buckets = {}
  for account, bucket, list in spec:gmatch(';([^:]*)(:.-)=([%d:,]+)') do
    local name = budget_of(account) .. bucket
    local windows, longest = {}, 0
    for n, t in list:gmatch('(%d+):(%d+)') do
      n, t = tonumber(n), tonumber(t)
      windows[#windows + 1] = { n, t }
      if t > longest then longest = t end
    end
    buckets[#buckets + 1] = { name = name, windows = windows, longest = longest }
  end
  return { queue = spec:match('^[^;]*'), buckets = buckets }
end

-- One run of the script may come to a line more than once: each is read once.
local lines = {}

local function load_line(line)
  if lines[line] == nil then
    local spec = call('HGET', P .. 'lines', line)
    lines[line] = spec and parse(spec) or false
  end
  return lines[line] or nil
end

-- Read several lines at once; false stands for none.
local function load_lines(names)
  local missing = {}
  for _, line in ipairs(names) do
    if line and lines[line] == nil then missing[#missing + 1] = line end
  end
  if #missing < 2 then return end
  for i, spec in ipairs(call('HMGET', P .. 'lines', unpack(missing))) do
    lines[missing[i]] = spec and parse(spec) or false
  end
end

local function enter_line(line, spec)
  if call('HGET', P .. 'lines', line) == spec then return end
  call('HSET', P .. 'lines', line, spec)
  lines[line] = nil
end

-- The request that carries several tasks of a line: how much it takes, its own line and spec.
local carriers, carries = {}, nil

local function load_carrier(line)
  if carries == nil then carries = call('EXISTS', P .. 'carriers') == 1 end
  if carries and carriers[line] == nil then
    local stored = call('HGET', P .. 'carriers', line)
    local most, bytes, name, text = (stored or ''):match('^(%d+) (%d+) (%S+) (%S+)$')
    carriers[line] = most and {
      most = tonumber(most), bytes = tonumber(bytes), line = name, text = text,
      spec = name == line and load_line(line) or parse(text),
    } or false
  end
  return carriers[line] or nil
end

local function enter_carrier(line, carrier)
  if carrier == '' or call('HGET', P .. 'carriers', line) == carrier then return end
  call('HSET', P .. 'carriers', line, carrier)
  carriers[line], carries = nil, true
end

-- What is known of a bucket. wanted: requests of processes that wait to make them themselves, until wanted_until; the
-- tasks leave room.
local function load_bucket(b)
  for _, w in ipairs(b.windows) do w.read = nil end
  local f = call('HMGET', key('bucket', b.name), 'flight', 'limit', 'foreign', 'foreign_until', 'urgent', 'wanted_until')
  b.flight = tonumber(f[1]) or 0
  b.limit = tonumber(f[2])
  b.foreign_until = tonumber(f[4]) or 0
  b.foreign = b.foreign_until > now and tonumber(f[3]) or 0
  b.urgent = (tonumber(f[5]) or 0) > now
  b.wanted_until = tonumber(f[6]) or 0
  b.wanted = b.wanted_until > now and call('ZCOUNT', key('wanted', b.name), now, '+inf') or 0
end

-- Of a replica that was promoted: for how many ms before that it may lack what the old primary knew, and by how many ms
-- the old primary's times are moved to fit the new clock. Both are 0 otherwise.
local missing, moved = 0, 0

local function born()
  local text = call('GET', P .. 'born')
  local at = tonumber(text)
  if at then return at end
  if text then
    at, missing, moved = text:match('^(%d+)|(%d+)|(%-?%d+)$')
    missing, moved = tonumber(missing), tonumber(moved)
    return tonumber(at)
  end
  call('SET', P .. 'born', now)
  return now
end

-- Whether another server was the primary a moment ago, so that workers are still telling of what they have under way.
local function is_reunion(birth) return missing > 0 and now < birth + REUNION_MS end

-- How many answers of a ring, of the newest `most`, are not older than a moment.
local function answered_since(ring, moment, most)
  local low, high = 0, math.min(most, call('LLEN', ring))
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(call('LINDEX', ring, middle)) >= moment then low = middle + 1 else high = middle end
  end
  return low
end

-- After a failover: how many requests of a window of n in t ms may have been answered that the replica has not heard of.
-- As many as the shortest window lets through in the time that is missing; but no more than this one had room for.
local function unheard(b, ring, n, t, birth)
  local field, name, shortest = 'unheard:' .. t, key('bucket', b.name)
  local of, number = (call('HGET', name, field) or ''):match('^(%d+)|(%d+)$')
  if tonumber(of) == birth then return tonumber(number) end
  for _, w in ipairs(b.windows) do
    if not shortest or w[2] < shortest[2] then shortest = w end
  end
  local room = n - b.flight - answered_since(ring, now - t - moved, n)
  number = math.max(0, math.min(shortest[1] * (math.ceil(missing / shortest[2]) + 1), room))
  call('HSET', name, field, birth .. '|' .. number)
  return number
end

-- When an answer came, by the new primary's clock; if the old primary stamped it, the latest time that is possible.
local function by_this_clock(answered, birth)
  return (answered < birth or answered > now) and math.min(answered + moved, birth) or answered
end

local nothing_blocked

-- Until when a line is blocked, itself or by one of its buckets.
local function blocked_until(line, spec)
  if nothing_blocked == nil then nothing_blocked = call('EXISTS', P .. 'blocked') == 0 end
  if nothing_blocked then return 0 end
  local names, at = { line }, 0
  for _, b in ipairs(spec.buckets) do names[#names + 1] = b.name end
  for i, blocked in ipairs(call('HMGET', P .. 'blocked', unpack(names))) do
    local passes = tonumber(blocked)
    if passes and passes <= now then
      call('HDEL', P .. 'blocked', names[i])
      call('HDEL', P .. 'block_reasons', names[i])
    end
    at = math.max(at, passes or 0)
  end
  return at
end

-- An answer in a window's ring. Who is about to grant `most` requests reads what they will ask for at once: each looks
-- one answer nearer to the newest.
local function answered_at(ring, w, back, most)
  if most == 1 then return tonumber(call('LINDEX', ring, back)) end
  local read = w.read
  if not read or back < read.first or back > read.last then
    local first = math.max(0, back - most + 1)
    read = { first = first, last = back, times = call('LRANGE', ring, first, back) }
    w.read = read
  end
  return tonumber(read.times[back - read.first + 1])
end

-- When the next request of this line may be granted: now or earlier = at once; nil, t = not before an answer or t.
-- blocked: until when the line is; most: how many may follow it at once.
local function next_grant(spec, birth, lane, blocked, most)
  local at, given_up = blocked, math.huge
  if is_reunion(birth) then return nil, birth + REUNION_MS end
  for _, b in ipairs(spec.buckets) do
    local ring = key('ring', b.name)
    if b.flight > 0 and now < birth + PROBATION_MS and call('LLEN', ring) == 0 then
      return nil, now + FALLBACK_MS
    end
    for _, w in ipairs(b.windows) do
      local n, t = w[1], w[2]
      if t == MINUTE_MS then n = (b.limit or n) - b.foreign end
      if missing > 0 and now < birth + t then n = n - unheard(b, ring, n, t, birth) end
      if lane == 'bulk' and b.urgent then n = n - math.floor(n * RESERVE_FRACTION) end
      local back = n - b.flight - b.wanted - 1
      if back < 0 then
        return nil, (n <= 0 and t == MINUTE_MS and b.foreign_until > now) and b.foreign_until or now + FALLBACK_MS
      end
      local answered = answered_at(ring, w, back, most)
      if answered and missing > 0 then answered = by_this_clock(answered, birth) end
      -- What was sent in the second before a flush is forgotten: the first second belongs to the one request.
      if not answered and t == SECOND_MS then answered = call('LLEN', ring) > 0 and birth end
      -- When others' window ends there may be room before.
      if answered and t == MINUTE_MS and b.foreign > 0 then
        answered = math.min(answered, b.foreign_until - t - ROUNDING_MS)
      end
      if answered and answered + t + ROUNDING_MS > at then at = answered + t + ROUNDING_MS end
    end
    if b.wanted > 0 then given_up = math.min(given_up, b.wanted_until) end
  end
  -- Who wants a request may have given up by then.
  return at > given_up and math.max(given_up, blocked) or at
end
