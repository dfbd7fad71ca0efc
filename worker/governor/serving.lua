-- Release what may go now, line by line, unless it is paused.

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

-- The tasks that this operation has released.
local released = {}

-- Release what one line may release now, and set when it is due again. in_now: how many wait in its lane now.
local function serve(line, birth, in_now)
  local spec = load_line(line)
  if not spec then
    call('ZREM', P .. 'due', line)
    return 0
  end
  local later = first_later(line)
  if later and later <= now then
    promote(line)
    later, in_now = first_later(line), call('LLEN', key('now', line))
  end
  local ahead = { now = in_now, bulk = call('LLEN', key('bulk', line)) }
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
    if not message or released[id] then
      -- Nothing waits under this id any more.
    elseif is_leased(id) then
      -- A copy of a task that may still be running elsewhere: one task runs in one place at a time.
      local free_at = lease_deadline(id) + 1
      call('ZADD', key('later', line), free_at, lane .. '|^' .. id)
      later = math.min(later or free_at, free_at)
    else
      released[id] = true
      write_at_end('HDEL', P .. 'waiting', id)
      write_at_end('ZREM', P .. 'expiring', id)
      ids[#ids + 1], messages[#messages + 1] = id, message
      for _, b in ipairs(spec.buckets) do b.flight = b.flight + 1 end
    end
  end
  if #ids > 0 then
    send_off(ids, messages, line, spec)
    if most then probed(line) end
    write_at_end('ZADD', P .. 'served', now, line)
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
  local due = call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, most)
  if #due == 0 then return 0 end
  local birth, number, turns = born(), 0, {}
  if #due == 1 then return serve(due[1], birth, call('LLEN', key('now', due[1]))) end
  load_lines(due)
  local served = #due > 0 and call('ZMSCORE', P .. 'served', unpack(due))
  for i, line in ipairs(due) do
    local in_now = call('LLEN', key('now', line))
    turns[i] = { line, in_now > 0 and 0 or 1, tonumber(served[i]) or 0, in_now }
  end
  table.sort(turns, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    if a[3] ~= b[3] then return a[3] < b[3] end
    return a[1] < b[1]
  end)
  for _, turn in ipairs(turns) do number = number + serve(turn[1], birth, turn[4]) end
  return number
end
