-- What an operator sees, and what the workers say of themselves.

-- line -> spec now bulk later since blocked | flight limit foreign blocked used… of each bucket. Reads only.
--   since   of each lane, "now|bulk": since when its oldest task that could go has been wanted, in seconds as its
--           publisher wrote it, or ""
--   used…   leases out and answers, in each window of the bucket
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
  local seen = {
    text, waiting.now, waiting.bulk, call('ZCARD', key('later', line)),
    since.now .. '|' .. since.bulk, call('HGET', P .. 'blocked', line) or 0,
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

-- line… -> the same of each line
function ops.look_at(...)
  local seen = {}
  for i, line in ipairs({ ... }) do seen[i] = ops.look(line) end
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
