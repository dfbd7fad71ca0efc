-- Lines, their buckets, and when the windows of these leave room for the next request.

local function parse(spec)
  local queue, rest = spec:match('^([^;]*);(.*)$')
  local buckets = {}
  for part in rest:gmatch('[^;]+') do
    local name, list = part:match('^(.*)=([%d:,]+)$')
    local windows, longest = {}, 0
    for n, t in list:gmatch('(%d+):(%d+)') do
      windows[#windows + 1] = { tonumber(n), tonumber(t) }
      if tonumber(t) > longest then longest = tonumber(t) end
    end
    buckets[#buckets + 1] = { name = name, windows = windows, longest = longest }
  end
  return { queue = queue, buckets = buckets }
end

-- One run of the script may come to a line, a queue or a pause more than once: each is read once.
local lines, room = {}, {}

local function load_line(line)
  if lines[line] == nil then
    local spec = call('HGET', P .. 'lines', line)
    lines[line] = spec and parse(spec) or false
  end
  return lines[line] or nil
end

local entered = {}

local function enter_line(line, spec)
  if entered[line] == spec then return end
  call('HSET', P .. 'lines', line, spec)
  lines[line], entered[line] = nil, spec
end

-- The request that carries several tasks of a line: how much it takes, its own line and spec.
local carriers = {}

local function load_carrier(line)
  if carriers[line] == nil then
    local told = call('HGET', P .. 'carriers', line)
    local most, bytes, name, text = (told or ''):match('^(%d+) (%d+) (%S+) (%S+)$')
    carriers[line] = most and {
      most = tonumber(most), bytes = tonumber(bytes), line = name, text = text,
      spec = name == line and load_line(line) or parse(text),
    } or false
  end
  return carriers[line] or nil
end

local function enter_carrier(line, carrier)
  if carrier == '' or entered['carrier of ' .. line] == carrier then return end
  call('HSET', P .. 'carriers', line, carrier)
  carriers[line], entered['carrier of ' .. line] = nil, carrier
end

-- What is known of a bucket. wanted: requests of processes that wait to make them themselves; the tasks leave room.
local function load_bucket(b)
  b.wanted = call('ZCOUNT', key('wanted', b.name), now, '+inf')
  for _, w in ipairs(b.windows) do w.read = nil end
  local f = call('HMGET', key('bucket', b.name), 'flight', 'limit', 'foreign', 'foreign_until', 'urgent')
  b.flight = tonumber(f[1]) or 0
  b.limit = tonumber(f[2])
  b.foreign_until = tonumber(f[4]) or 0
  b.foreign = b.foreign_until > now and tonumber(f[3]) or 0
  b.urgent = (tonumber(f[5]) or 0) > now
end

local function born()
  local at = tonumber(call('GET', P .. 'born'))
  if not at then
    at = now
    call('SET', P .. 'born', now)
  end
  return at
end

-- Until when a line is blocked, itself or by one of its buckets.
local function blocked_until(line, spec)
  local names, at = { line }, 0
  for _, b in ipairs(spec.buckets) do names[#names + 1] = b.name end
  for _, blocked in ipairs(call('HMGET', P .. 'blocked', unpack(names))) do
    at = math.max(at, tonumber(blocked) or 0)
  end
  return at
end

-- An entry of a window's ring. Who is about to grant `most` requests reads what they will ask for at once: each looks
-- one entry nearer to the newest.
local function answered_at(ring, w, back, most)
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
  local at = blocked
  for _, b in ipairs(spec.buckets) do
    local ring = key('ring', b.name)
    if b.flight > 0 and now < birth + PROBATION and call('LLEN', ring) == 0 then
      return nil, now + FALLBACK
    end
    for _, w in ipairs(b.windows) do
      local n, t = w[1], w[2]
      if t == 60000 then n = (b.limit or n) - b.foreign end
      if lane == 'bulk' and b.urgent then n = n - math.floor(n * SPARE) end
      local back = n - b.flight - b.wanted - 1
      if back < 0 then
        return nil, (n <= 0 and t == 60000 and b.foreign_until > now) and b.foreign_until or now + FALLBACK
      end
      local entry = answered_at(ring, w, back, most)
      -- What was sent in the second before a flush is forgotten: the first second belongs to the one request.
      if not entry and t == 1000 then entry = call('LLEN', ring) > 0 and birth end
      if entry and entry + t + ROUNDING > at then at = entry + t + ROUNDING end
    end
  end
  return at
end
