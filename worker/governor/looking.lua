-- What an operator sees, and what the workers say of themselves.

local MAX_PARTS = 8  -- of what is used of a window, whose times are told

-- When a window gives back what is used of it: the middle of each of some equal parts, in ms from now, the first one
-- first. What is under way comes back a whole window after its answer, and that after the rest.
local function back(b, w, used)
  local answers, times = used - b.flight, {}
  for part = 1, math.min(MAX_PARTS, used) do
    local place = math.floor((part - 0.5) * used / math.min(MAX_PARTS, used))  -- from the oldest on
    local at = place < answers and call('LINDEX', key('ring', b.name), answers - 1 - place)
    times[part] = (at and tonumber(at) or now) + w[2] - now
  end
  return table.concat(times, ',')
end

-- line -> spec now bulk later since blocked reason gone spans | flight limit foreign blocked urgent (used back)… of each bucket.
-- Reads only.
--   since   of each lane, "now|bulk": since when its oldest task that could go has been wanted, in seconds as its
--           publisher wrote it, or ""
--   reason  why it is blocked, if not by a 429, or ""
--   gone    how many went together while others waited, in the last minute or so, and the ms for which that has been
--           counted
--   used    leases out and answers, in each window of the bucket
--   back    when it gives them back, as above, where somebody waits for a window of a minute or longer
function ops.look(line)
  local text = call('HGET', P .. 'lines', line)
  if not text then return false end
  local since, waiting = {}, { now = call('LLEN', key('now', line)), bulk = call('LLEN', key('bulk', line)) }
  for _, lane in ipairs({ 'bulk', 'now' }) do
    local id = waiting[lane] > 0 and call('LINDEX', key(lane, line), -1)
    local item = id and call('HGET', P .. 'waiting', id)
    -- A message may be megabytes long: look for the plain text first, a pattern would try every character.
    local at = item and item:find('"since":', 1, true)
    since[lane] = at and item:match('^"since":%s*([%d.]+)', at) or ''
  end
  local gone, counted, spans = 0, 0, {}
  for ago = 0, SPANS do spans[ago + 1] = key('gone', line) .. ':' .. (math.floor(now / SPAN_MS) - ago) end
  for i, went in ipairs(call('MGET', unpack(spans))) do
    if went then gone, counted = gone + went, math.max(SECOND_MS, now % SPAN_MS + (i - 1) * SPAN_MS) end
  end
  local seen = {
    text, waiting.now, waiting.bulk, call('ZCARD', key('later', line)),
    since.now .. '|' .. since.bulk, call('HGET', P .. 'blocked', line) or 0,
    call('HGET', P .. 'block_reasons', line) or '', gone, counted,
  }
  local waits = waiting.now + waiting.bulk > 0
  for _, b in ipairs(parse(text).buckets) do
    load_bucket(b)
    local blocked = call('HGET', P .. 'blocked', b.name) or 0
    local urgent = b.urgent and call('HGET', key('bucket', b.name), 'urgent') or 0
    for _, value in ipairs({ b.flight, b.limit or 0, b.foreign, blocked, urgent }) do seen[#seen + 1] = value end
    for _, w in ipairs(b.windows) do
      local used = b.flight + answered_since(key('ring', b.name), now - w[2], w[1])
      seen[#seen + 1] = used
      seen[#seen + 1] = waits and w[2] >= MINUTE_MS and back(b, w, used) or ''
    end
  end
  return seen
end

-- line… -> the same of each line
function ops.look_at(...)
  local seen = {}
  for i, line in ipairs({ ... }) do seen[i] = ops.look(line) end
  return seen
end

-- line… -> how many tasks wait in the lane now, in the lane bulk, and for their time, of each. Reads only.
function ops.counts(...)
  local found = {}
  for _, line in ipairs({ ... }) do
    found[#found + 1] = call('LLEN', key('now', line))
    found[#found + 1] = call('LLEN', key('bulk', line))
    found[#found + 1] = call('ZCARD', key('later', line))
  end
  return found
end

-- Leases that a worker of an older version has opened are not counted by account.
local function count_by_account()
  local out, counts = call('HGETALL', P .. 'out'), {}
  for i = 1, #out, 2 do
    if tonumber(out[i + 1]) > 0 and call('EXISTS', key('out', out[i])) == 0 then counts[out[i]] = {} end
  end
  for _, lease in ipairs(next(counts) and call('HVALS', P .. 'lease') or {}) do
    local queue, account = lease:match('^([^|]*)|([^:]*)')
    if counts[queue] then call('HINCRBY', key('out', queue), account, 1) end
  end
end

-- worker slots queues ttl_ms alone -> 1. What the workers can take, summed over those that were heard of lately. alone:
-- 1 where this one says that nothing shall travel together, which then holds for all.
function ops.beat(worker, slots, queues, ttl, alone)
  if alone == '1' then call('SET', P .. 'alone', 1, 'PX', ttl) end
  call('SET', P .. 'alive', now)
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
  for queue, n in pairs(sum) do
    call('HSET', P .. 'slots', queue, n)
    -- Should all be lost that would have had somebody look.
    if call('EXISTS', key('ready', queue), key('capped', queue)) > 0 then call('ZADD', P .. 'due', 'NX', now, queue) end
  end
  count_by_account()
  if next(sum) then call('PEXPIRE', P .. 'slots', ttl) end
  return 1
end
