-- Release what may go now, line by line, unless it is paused.

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
  local carrier, carried, again = not most and ahead.now + ahead.bulk > 1 and load_carrier(line), 0, nil
  -- What can go at once goes alone, unless that would cost as much as all of it together.
  local first = carrier and ahead.now + ahead.bulk > (carrier.line == line and 1 or math.max(free, 1))
  if first then
    carried, again = carry(line, ahead, birth)
  end
  local guarded = call('EXISTS', P .. 'aboard') == 1
  local blocked = blocked_until(line, spec)
  -- What draws on the same bucket goes in its next request, rather than alone.
  if carried > 0 and carrier.line == line then free = 0 end
  local limit = math.min(free, most or BATCH, ahead.now + ahead.bulk)
  for _, b in ipairs(spec.buckets) do load_bucket(b) end
  while #ids < free and #ids < (most or BATCH) and ahead.now + ahead.bulk > 0 do
    local lane = next_lane(line, ahead, guarded)
    if not lane then
      at, fallback = nil, now + BEHIND
      break
    end
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
  end
  if carrier and not first and ahead.now + ahead.bulk > 1 then carried, again = carry(line, ahead, birth) end
  if #ids + carried > 0 then
    write_at_end('ZADD', P .. 'served', now, line)
    if carried > 0 and ahead.now + ahead.bulk > 0 then
      local gone = key('gone', line) .. ':' .. math.floor(now / SPAN)
      call('INCRBY', gone, carried)
      call('PEXPIRE', gone, (SPANS + 1) * SPAN)
    end
  end
  if ahead.now + ahead.bulk == 0 then
    schedule(line, nil, later)
  else
    -- Out of slots or of its turn: due at once, behind the other lines that are due. Out of slots altogether: a
    -- settled lease wakes it, the delay only bounds the cost of looking.
    local alone = at and at > now and at or fallback or (free <= #ids and now + 10 or now)
    schedule(line, again and math.min(again, alone) or alone, later)
  end
  return #ids + carried
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
