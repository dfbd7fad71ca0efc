-- The governor: who may send a request now, and who waits. One script, so that every step is atomic.
--
-- KEYS[1]  prefix of every key below, "klaviyo:"
-- ARGV[1]  operation; ARGV[2] now in ms, or "" for the server's clock (a test passes its own); ARGV[3…] as told there
--
-- A task waits in the list of its line (account + the buckets it draws on). A line is looked at when it is due.
-- A lease counts against every window of every bucket of its line from the grant until Klaviyo has answered; then
-- it becomes an entry of each bucket's ring, stamped with the time of the answer. A request reached Klaviyo before
-- its answer was stamped and after its grant, so "entry N back + T is over at the grant" means that at most N
-- arrivals lie in any T, whatever the phase of Klaviyo's windows and whatever the latency. No margin is needed.
--
--   lines           hash   line -> spec "queue;bucket=limit:ms,limit:ms;bucket=…"
--   waiting         hash   id -> "lane|line\nmessage" of every task that waits, so that one is found without a search
--   now:<line>      list   ids, oldest at the right                 bulk:<line>  the same, served after now
--   later:<line>    zset   "lane|id" -> not before (ms); "lane|^id" for one that goes to the head
--   expires         hash   id -> when a task expires (ms), from its publishing to its end
--   expiring        zset   the same of those that wait
--   revoked:<id>    set for a while: the task must not be sent; its value is the reason
--   paused          hash   "account:a", "action:a:x", "action:x" or "tier:queue" -> "probe|interval|JSON": who, when, why;
--                          where probe is not 0, one task is tried at that time (ms), the next one two intervals later
--   due             zset   line -> when it is worth looking at      served zset  line -> when it was served last
--   ring:<bucket>   list   times of answers in ms, newest at the left
--   bucket:<bucket> hash   flight (leases out), limit (adopted from Klaviyo), foreign, foreign_until (others' use),
--                          urgent (until when a part of each window is kept for the lane now)
--   wanted:<bucket> zset   id -> until, for requests that a process waits to make itself
--   blocked         hash   bucket or line -> until (ms), after a 429
--   granted claimed zset   id -> deadline of the lease              lease  hash  id -> "queue|line"
--   holder          hash   id -> the delivery that has claimed it   once:<id>    set for a while at each publishing
--   attempts        hash   id -> attempts used                      sent:<id>    set before an unrepeatable request
--   roomless        hash   id -> how often a full server had no room for its result
--   workers         hash   worker -> "expires|slots|queue,queue"    slots  hash  queue -> slots (expires)
--   out             hash   queue -> leases out                      wake:<queue> list a worker sleeps on
--   forbidden       hash   account -> how often Klaviyo has answered 403 since it last accepted a request
--   born            string when this state began: a flushed Redis is recognised by its absence

local P, op = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Two times are floors of real ones: two ms make up for both.
local ROUNDING = 2
local GRANT_TTL = 15000     -- an unclaimed lease returns unused: without a claim nothing is sent
local FALLBACK = 50         -- when a line waits for an answer whose settling should wake it anyway
local PROBATION = 60000     -- how long after its birth an unknown bucket sends one request before the rest
local FORWARD = 1500        -- RateLimit-Reset is whole seconds: how far the window's start may be off
local BATCH = 16            -- tasks a line may release in one turn, so that lines share the workers' slots
local SPARE = 0.05          -- of a window, kept for the lane now in a bucket where that was used …
local RECENT = 600000       -- … within this time, so that no long read makes a quick call wait for the next window
local ONCE = 120000         -- how long a second publishing of a task is known as such
local PROBE = 60000         -- at most between two tries of an account that Klaviyo has refused
local DAY = 86400000

local function call(...) return redis.call(...) end
local function key(name, part) return P .. name .. ':' .. part end

-- A server that is full refuses a script's writes until one that needs no memory has passed; then it takes them all.
-- What works off the waiting lists, or tells that it can, begins with this one; what adds to them must not.
local function even_if_full() call('DEL', P .. 'none') end

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

local function enter_line(line, spec)
  call('HSET', P .. 'lines', line, spec)
  lines[line] = nil
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

-- Tasks whose time has come: a delayed one to the tail of its lane, one that has waited in it before to the head.
local function promote(line)
  local later, heads = key('later', line), {}
  for _, item in ipairs(call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 200)) do
    call('ZREM', later, item)
    local lane, head, id = item:match('^(%a+)|(%^?)(.*)$')
    if head == '^' then
      heads[#heads + 1] = { lane, id }
    else
      call('LPUSH', key(lane, line), id)
    end
  end
  for i = #heads, 1, -1 do call('RPUSH', key(heads[i][1], line), heads[i][2]) end
end

-- When the first task of a line comes that has to wait until then.
local function first_later(line)
  return tonumber(call('ZRANGE', key('later', line), 0, 0, 'WITHSCORES')[2])
end

-- first: as above
local function schedule(line, at, first)
  if first and (not at or first < at) then at = first end
  if at then call('ZADD', P .. 'due', at, line) else call('ZREM', P .. 'due', line) end
end

-- What waits under an id: lane, line, message; nothing where it does not wait.
local function find(id)
  local stored = call('HGET', P .. 'waiting', id)
  if not stored then return end
  -- A message may be megabytes long: a pattern that took all of it would copy it once more.
  local ends = stored:find('\n', 1, true)
  local lane, line = stored:sub(1, ends - 1):match('^(%a+)|(.*)$')
  return lane, line, stored:sub(ends + 1)
end

-- Take a task out of its list.
local function take_out(id, lane, line)
  -- The oldest are asked for most: look from their end.
  if call('LREM', key(lane, line), -1, id) == 0 then
    call('ZREM', key('later', line), lane .. '|' .. id, lane .. '|^' .. id)
  end
  call('HDEL', P .. 'waiting', id)
  call('ZREM', P .. 'expiring', id)
  -- The line may have been due for this one's sake: it is looked at anew.
  call('ZADD', P .. 'due', 'LT', now, line)
end

local nothing_paused

-- How many tasks of a line may go though something of it is paused; nil where nothing is. And when it may be tried.
local function paused(line, queue)
  if nothing_paused == nil then nothing_paused = call('EXISTS', P .. 'paused') == 0 end
  if nothing_paused then return end
  local account, action = line:match('^([^:]*):([^+]*)')
  local who = { 'account:' .. account, 'action:' .. account .. ':' .. action, 'action:' .. action, 'tier:' .. queue }
  local may, at
  for i, value in ipairs(call('HMGET', P .. 'paused', unpack(who))) do
    if value then
      local probe = tonumber(value:match('^%d+'))
      if probe == 0 then return 0 end
      may, at = probe <= now and may ~= 0 and 1 or 0, math.max(at or 0, probe)
    end
  end
  return may, at
end

-- The one task that is tried has been taken: no other for a while, twice as long as before.
local function probed(line)
  local account = 'account:' .. line:match('^[^:]*')
  local interval, about = (call('HGET', P .. 'paused', account) or ''):match('^%d+|(%d+)(|.*)$')
  if not interval then return end
  interval = math.min(2 * interval, PROBE)
  call('HSET', P .. 'paused', account, (now + interval) .. '|' .. interval .. about)
end

-- Release what one line may release now, and set when it is due again.
local function serve(line, birth)
  local spec = load_line(line)
  if not spec then
    call('ZREM', P .. 'due', line)
    return 0
  end
  local later = first_later(line)
  if later and later <= now then
    promote(line)
    later = first_later(line)
  end
  local ahead = { now = call('LLEN', key('now', line)), bulk = call('LLEN', key('bulk', line)) }
  if ahead.now + ahead.bulk == 0 then
    schedule(line, nil, later)
    return 0
  end
  local most, probe = paused(line, spec.queue)
  if most == 0 then
    schedule(line, probe, later)
    return 0
  end
  local free, at, fallback, ids, messages = free_slots(spec.queue), now, nil, {}, {}
  local blocked = blocked_until(line, spec)
  local limit = math.min(free, most or BATCH, ahead.now + ahead.bulk)
  for _, b in ipairs(spec.buckets) do load_bucket(b) end
  while #ids < free and #ids < (most or BATCH) and ahead.now + ahead.bulk > 0 do
    local lane = ahead.now > 0 and 'now' or 'bulk'
    at, fallback = next_grant(spec, birth, lane, blocked, limit - #ids)
    if not at or at > now then break end
    local id = call('RPOP', key(lane, line))
    ahead[lane] = ahead[lane] - 1
    local _, _, message = find(id)
    if not message then
      -- Nothing waits under this id any more.
    elseif is_leased(id) then
      -- A copy of a task that may still be running elsewhere: one task runs in one place at a time.
      local free_at = lease_deadline(id) + 1
      call('ZADD', key('later', line), free_at, lane .. '|^' .. id)
      later = math.min(later or free_at, free_at)
    else
      call('HDEL', P .. 'waiting', id)
      ids[#ids + 1], messages[#messages + 1] = id, message
      for _, b in ipairs(spec.buckets) do b.flight = b.flight + 1 end
    end
  end
  if #ids > 0 then
    call('ZREM', P .. 'expiring', unpack(ids))
    send_off(ids, messages, line, spec)
    if most then probed(line) end
    call('ZADD', P .. 'served', now, line)
  end
  if ahead.now + ahead.bulk == 0 then
    schedule(line, nil, later)
  elseif at and at > now then
    schedule(line, at, later)
  else
    -- Out of slots or of its turn: due at once, behind the other lines that are due. Out of slots altogether: a
    -- settled lease wakes it, the delay only bounds the cost of looking.
    schedule(line, fallback or (free <= #ids and now + 10 or now), later)
  end
  return #ids
end

-- What has expired while it waited goes to a worker, without a lease: its claim is told, and the worker ends it.
local function expire()
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'expiring', '-inf', now, 'LIMIT', 0, 100)) do
    local lane, line, message = find(id)
    if line then
      local spec = load_line(line)
      take_out(id, lane, line)
      call('LPUSH', spec.queue, message)
      wake(spec.queue, 1)
    else
      call('ZREM', P .. 'expiring', id)
    end
  end
end

local function sweep()
  for state, used in pairs({ granted = false, claimed = true }) do
    local over = call('ZRANGEBYSCORE', P .. state, '-inf', now, 'LIMIT', 0, 100)
    if #over > 0 then close_leases(over, used) end
  end
end

-- Lines may share a bucket: those with urgent tasks come first, then those that were served longest ago.
local function serve_due(most)
  local birth, released, turns = born(), 0, {}
  local due = call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, most)
  if #due == 1 then return serve(due[1], birth) end
  local served = #due > 0 and call('ZMSCORE', P .. 'served', unpack(due))
  for i, line in ipairs(due) do
    local urgent = call('EXISTS', key('now', line)) == 1
    turns[i] = { line, urgent and 0 or 1, tonumber(served[i]) or 0 }
  end
  table.sort(turns, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    if a[3] ~= b[3] then return a[3] < b[3] end
    return a[1] < b[1]
  end)
  for _, turn in ipairs(turns) do released = released + serve(turn[1], birth) end
  return released
end

-- Put a task into its waiting list, unless a copy of it waits already. at_head: it has waited before.
local function enqueue(line, lane, id, message, not_before, at_head)
  if call('HSETNX', P .. 'waiting', id, lane .. '|' .. line .. '\n' .. message) == 0 then return end
  local expires = call('HGET', P .. 'expires', id)
  if expires then call('ZADD', P .. 'expiring', expires, id) end
  if is_leased(id) then not_before = math.max(not_before, lease_deadline(id) + 1) end
  if not_before > now then
    call('ZADD', key('later', line), not_before, lane .. (at_head and '|^' or '|') .. id)
    call('ZADD', P .. 'due', 'LT', not_before, line)
  else
    call(at_head and 'RPUSH' or 'LPUSH', key(lane, line), id)
    -- A line that is due later is due then for a reason that one more task does not change; but what is kept for
    -- the lane now is kept for this one.
    local first = lane == 'now' and call('LLEN', key('now', line)) == 1 and call('EXISTS', key('bulk', line)) == 1
    if first or not call('ZSCORE', P .. 'due', line) or call('ZCARD', key('later', line)) > 0 then
      call('ZADD', P .. 'due', 'LT', now, line)
    end
  end
end

-- Somebody waits for the answer of such a request: from now on the lane bulk leaves room for the next one.
local function mark_urgent(spec_text)
  for name in spec_text:gmatch(';(.-)=[%d:,]+') do
    call('HSET', key('bucket', name), 'urgent', now + RECENT)
  end
end

local ops = {}

-- When a task expires, from what a publisher says: "+ms" from now, or a moment in ms; "" for never.
local function set_expiry(id, expires)
  if expires == '' then return end
  local at = tonumber(expires)
  call('HSET', P .. 'expires', id, expires:sub(1, 1) == '+' and now + at or at)
end

-- Whether somebody publishes an id that was revoked, and is to be told. A worker is not: what follows a task is published
-- whatever has been revoked, and ends as REVOKED, with all that Celery does then.
local function stays_revoked(id, urgent)
  return urgent ~= '1' and call('EXISTS', key('revoked', id)) == 1
end

-- line spec lane id message delay_ms expires urgent -> number of tasks of the line that were released, -1 if revoked
-- A task is published once, however often a broken connection makes the publisher say it. urgent: 1 where a worker
-- says it, which works off what waits by that, so that a server that is full must take it.
function ops.wait(line, spec, lane, id, message, delay, expires, urgent)
  if urgent == '1' then even_if_full() end
  if stays_revoked(id, urgent) then return -1 end
  if call('EXISTS', key('once', id)) == 1 then return 0 end
  enter_line(line, spec)
  set_expiry(id, expires)
  if lane == 'now' then mark_urgent(spec) end
  enqueue(line, lane, id, message, now + tonumber(delay), false)
  -- Last: what has failed before it is not known, and is published by the next try.
  call('SET', key('once', id), 1, 'PX', ONCE)
  local due = tonumber(call('ZSCORE', P .. 'due', line))
  return due and due <= now and serve(line, born()) or 0
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

-- How many answers of a ring, of the newest `most`, are not older than a moment.
local function answered_since(ring, moment, most)
  local low, high = 0, math.min(most, call('LLEN', ring))
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(call('LINDEX', ring, middle)) >= moment then low = middle + 1 else high = middle end
  end
  return low
end

local function correct(b, limit, remaining, reset)
  local name = key('bucket', b.name)
  load_bucket(b)
  local declared
  for _, w in ipairs(b.windows) do
    if w[2] == 60000 then declared = w[1] end
  end
  local adopted = 0
  if limit ~= (b.limit or declared) then
    adopted = limit
    if limit == declared then call('HDEL', name, 'limit') else call('HSET', name, 'limit', limit) end
  end
  -- Others' use: what Klaviyo has counted in its window beyond what we can have sent in it.
  local used, starts, ring = limit - remaining, now + reset * 1000 - 60000 - FORWARD, key('ring', b.name)
  local beyond = used - b.flight
  if beyond > 0 then
    local entry = tonumber(call('LINDEX', ring, beyond - 1))
    if not entry or entry < starts then
      local ours = answered_since(ring, starts, beyond - 1)
      local foreign, ends = beyond - ours, now + reset * 1000
      if math.abs(b.foreign_until - ends) < 2500 and b.foreign > foreign then foreign = b.foreign end
      call('HSET', name, 'foreign', foreign, 'foreign_until', ends)
    end
  end
  return adopted
end

-- Something that was paused goes on: all its lines are looked at.
local function wake_all()
  for _, line in ipairs(call('HKEYS', P .. 'lines')) do call('ZADD', P .. 'due', 'LT', now, line) end
end

-- Klaviyo has accepted an account's credentials: what waits because it had not goes on. welcome: their fingerprint, ""
-- where they were not accepted. Another key than the refused one proves nothing of the workers, unless one of them has
-- it: "*".
local function greet(line, welcome)
  if welcome == '' or call('EXISTS', P .. 'forbidden', P .. 'paused') == 0 then return end
  local account = line:match('^[^:]*')
  call('HDEL', P .. 'forbidden', account)
  local value = call('HGET', P .. 'paused', 'account:' .. account) or '0|'
  local same = welcome == '*' or value:find('"key":"' .. welcome .. '"', 1, true)
  if value:sub(1, 2) ~= '0|' and same then
    call('HDEL', P .. 'paused', 'account:' .. account)
    wake_all()
  end
end

-- id holder used limit remaining reset block_ms forget welcome -> adopted limit, or 0
--   holder    as at the claim: a worker that was taken for dead must not close the lease of its successor
--   used      1 if the request may have reached Klaviyo and was counted there; 0 for a 429, or nothing sent
--   limit …   the RateLimit headers, or "" without them; block_ms  after a 429, else 0
--   forget    1 if the request was certainly not carried out: an unrepeatable action may be sent again
--   welcome   as above
function ops.settle(id, holder, used, limit, remaining, reset, block, forget, welcome)
  local held_by = call('HGET', P .. 'holder', id)
  if held_by and held_by ~= holder then return 0 end
  if forget == '1' then call('DEL', key('sent', id)) end
  local line, spec = close_lease(id, used == '1')
  local adopted = 0
  if line then
    greet(line, welcome)
    if tonumber(block) > 0 then
      -- With several buckets nobody says which one was full: only this combination waits.
      local who = #spec.buckets == 1 and spec.buckets[1].name or line
      local was = tonumber(call('HGET', P .. 'blocked', who)) or 0
      call('HSET', P .. 'blocked', who, math.max(was, now + tonumber(block)))
    elseif limit ~= '' and #spec.buckets == 1 then
      adopted = correct(spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
    end
  end
  serve_due(8)
  return adopted
end

-- id holder -> 1 if its lease had been granted and not claimed, or claimed for this delivery when it was taken, and
-- nothing was sent by it; it returns unused
function ops.release(id, holder)
  local ours = holder ~= '' and call('HGET', P .. 'holder', id) == holder
  if not ours and not call('ZSCORE', P .. 'granted', id) then return 0 end
  close_lease(id, false)
  return 1
end

-- unacked unacked_index tag | line spec lane id delay_ms at_head count expires -> attempts used, -1 if no longer ours
-- count: the hash in which this is counted, attempts or roomless; or ""
-- Moves the message of a delivery from the broker's list of unacknowledged ones to its waiting list, in one step.
function ops.park(unacked, index, tag, line, spec, lane, id, delay, at_head, count, expires)
  local stored = call('HGET', unacked, tag)
  if not stored then return -1 end
  local message = stored:match('^%[(.*),"","[^"]*"%]$')  -- as pop.lua wrote it
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  enter_line(line, spec)
  set_expiry(id, expires)
  if count ~= '' then call('HINCRBY', P .. count, id, 1) end
  enqueue(line, lane, id, message, now + tonumber(delay), at_head == '1')
  return tonumber(call('HGET', P .. 'attempts', id)) or 0
end

-- Nothing about a task need be remembered any more, but that it was revoked.
local function forget(id)
  for _, what in ipairs({ 'attempts', 'expires', 'roomless' }) do call('HDEL', P .. what, id) end
end

-- unacked unacked_index | id holder limit remaining reset welcome key value ttl_s, for each task -> adopted limits
-- The end of tasks whose requests have succeeded, all of it in one step: the leases are settled as above, the results
-- stored, key "" where nobody wants one, and the deliveries, which held the leases, struck off the record.
function ops.finish(unacked, index, ...)
  local told, ids, ends, tags = { ... }, {}, {}, {}
  for i = 1, #told, 9 do ids[#ids + 1] = told[i] end
  local holders, closing = call('HMGET', P .. 'holder', unpack(ids)), {}
  for i, id in ipairs(ids) do
    local holder, limit, remaining, reset, welcome, name, value, ttl = unpack(told, 9 * i - 7, 9 * i)
    if not holders[i] or holders[i] == holder then
      closing[#closing + 1] = id
      ends[#closing] = { i, limit, remaining, reset, welcome }
    end
    if name ~= '' then publish(name, value, ttl) end
    tags[i] = holder
  end
  local adopted = {}
  for i = 1, #ids do adopted[i] = 0 end
  local greeted = {}
  for n, line in ipairs(#closing > 0 and close_leases(closing, true) or {}) do
    local i, limit, remaining, reset, welcome = unpack(ends[n])
    local spec = line and load_line(line)
    if spec then
      local who = welcome .. line:match('^[^:]*')
      if not greeted[who] then greet(line, welcome) end
      greeted[who] = true
      if limit ~= '' and #spec.buckets == 1 then
        adopted[i] = correct(spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
      end
    end
  end
  call('HDEL', unacked, unpack(tags))
  call('ZREM', index, unpack(tags))
  serve_due(8)
  return adopted
end

-- id -> 1. The task is over; its message may be delivered once more.
function ops.done(id)
  forget(id)
  return 1
end

-- id reason ttl_ms -> the message of a task that waits, or false. From now on no claim of it is granted.
function ops.revoke(id, reason, ttl)
  call('SET', key('revoked', id), reason, 'PX', ttl)
  local _, _, message = find(id)
  return message or false
end

-- id result_key result ttl_s ours -> 1 if it waited: it is out of its list, and told as the result says. Where it does
-- not wait and nobody has claimed it, only that is told; the worker that gets it will tell the same. ours: 1 where the
-- id is certainly one of ours; what another application's workers carry out is theirs to tell.
function ops.withdraw(id, result_key, result, ttl, ours)
  local lane, line = find(id)
  if not line and (call('HEXISTS', P .. 'holder', id) == 1 or ours ~= '1' and not is_leased(id)) then return 0 end
  -- It may have been carried out: the worker that gets it says so.
  if call('EXISTS', key('sent', id)) == 1 then return 0 end
  local told = (call('GET', result_key) or ''):sub(1, 60)
  if told == '' or told:find('"RETRY"', 1, true) then
    call('SET', result_key, result, 'EX', ttl)
    call('PUBLISH', result_key, result)
  end
  if not line then return 0 end
  take_out(id, lane, line)
  forget(id)
  -- Nothing waits for this any more, such as the end of a chain may for as long as its first part does.
  call('PEXPIRE', key('revoked', id), DAY)
  return 1
end

-- queue -> how many tasks waited for it; they are gone, and nothing is told of them.
function ops.purge(queue)
  local count = 0
  for _, line in ipairs(call('HKEYS', P .. 'lines')) do
    if call('HGET', P .. 'lines', line):match('^[^;]*') == queue then
      for _, list in ipairs({ key('now', line), key('bulk', line), key('later', line) }) do
        local later = list == key('later', line)
        local ids = later and call('ZRANGE', list, 0, -1) or call('LRANGE', list, 0, -1)
        for _, id in ipairs(ids) do
          if later then id = id:match('^%a+|%^?(.*)$') end
          count = count + call('HDEL', P .. 'waiting', id)
          call('ZREM', P .. 'expiring', id)
          call('DEL', key('once', id))
          forget(id)
        end
        call('DEL', list)
      end
      call('ZREM', P .. 'due', line)
    end
  end
  return count
end

-- account -> how often Klaviyo has answered 403 since it last accepted a request of this account
function ops.forbidden(account)
  return call('HINCRBY', P .. 'forbidden', account, 1)
end

-- what probe_after_ms about -> 1 if it was not paused before. probe_after_ms 0: until somebody resumes it.
-- A worker that finds a paused account refused once more changes nothing: neither what somebody has paused on purpose,
-- nor when the next task is tried.
function ops.pause(what, probe, about)
  local before = call('HEXISTS', P .. 'paused', what) == 1
  if before and probe ~= '0' then return 0 end
  call('HSET', P .. 'paused', what, (probe == '0' and 0 or now + tonumber(probe)) .. '|' .. probe .. '|' .. about)
  return before and 0 or 1
end

-- what -> 1 if it was paused
function ops.resume(what)
  local found = call('HDEL', P .. 'paused', what)
  if found == 1 then wake_all() end
  return found
end

-- line -> spec now bulk later since blocked | flight limit foreign blocked used… of each bucket. Reads only.
--   since   when the oldest task that could go has been wanted, in seconds as its publisher wrote it, or ""
--   used…   leases out and answers, in each window of the bucket
function ops.look(line)
  local text = call('HGET', P .. 'lines', line)
  if not text then return false end
  local since = ''
  for _, lane in ipairs({ 'bulk', 'now' }) do
    local id = call('LINDEX', key(lane, line), -1)
    local item = id and call('HGET', P .. 'waiting', id)
    -- A message may be megabytes long: look for the plain text first, a pattern would try every character.
    local at = item and item:find('"since":', 1, true)
    local found = at and item:match('^"since":%s*([%d.]+)', at) or ''
    if found ~= '' and (since == '' or tonumber(found) < tonumber(since)) then since = found end
  end
  local seen = {
    text, call('LLEN', key('now', line)), call('LLEN', key('bulk', line)), call('ZCARD', key('later', line)),
    since, call('HGET', P .. 'blocked', line) or 0,
  }
  for _, b in ipairs(parse(text).buckets) do
    load_bucket(b)
    local blocked = call('HGET', P .. 'blocked', b.name) or 0
    for _, value in ipairs({ b.flight, b.limit or 0, b.foreign, blocked }) do seen[#seen + 1] = value end
    for _, w in ipairs(b.windows) do
      seen[#seen + 1] = b.flight + answered_since(key('ring', b.name), now - w[2], w[1])
    end
  end
  return seen
end

-- worker slots queues ttl_ms -> 1. What the workers can take, summed over those that were heard of lately.
function ops.beat(worker, slots, queues, ttl)
  if tonumber(slots) > 0 then
    call('HSET', P .. 'workers', worker, (now + tonumber(ttl)) .. '|' .. slots .. '|' .. queues)
  else
    call('HDEL', P .. 'workers', worker)
  end
  local sum, all = {}, call('HGETALL', P .. 'workers')
  for i = 1, #all, 2 do
    local expires, n, names = all[i + 1]:match('^(%d+)|(%d+)|(.*)$')
    if tonumber(expires) < now then
      call('HDEL', P .. 'workers', all[i])
    else
      for queue in names:gmatch('[^,]+') do
        -- A saturated tier leaves a quarter of the slots to the others.
        sum[queue] = (sum[queue] or 0) + math.max(1, math.ceil(tonumber(n) * 3 / 4))
      end
    end
  end
  call('DEL', P .. 'slots')
  for queue, n in pairs(sum) do call('HSET', P .. 'slots', queue, n) end
  if next(sum) then call('PEXPIRE', P .. 'slots', ttl) end
  return 1
end

-- Whoever adds something is told that Redis is full, or says itself that it must be taken; a look changes nothing.
local asks = { wait = true, put = true, bind = true, store = true, room = true, look = true }
if not asks[op] then even_if_full() end
local arguments = {}
for i = 3, #ARGV do arguments[#arguments + 1] = ARGV[i] end
return ops[op](unpack(arguments))
