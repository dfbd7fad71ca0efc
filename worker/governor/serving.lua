-- Release what may go now, line by line, unless it is paused.

-- The tasks that this operation has released.
local released = {}

-- How many slots of a queue a line may take now. turn: that of its account, {queue, most, how many were opened before};
-- wanted: how many it could use.
local function slots_for(queue, line, turn, wanted)
  if turn and turn.queue == queue then return turn.most - (opened[queue] or 0) + turn.before end
  local account, free = account_of(line), free_slots(queue)
  if is_contended(queue) then
    -- What could go in a request with others goes alone where that is its account's turn as well.
    local next_one = turn and free > 0 and call('ZRANGE', key('ready', queue), 0, 0)[1]
    return next_one == account and math.max(0, math.min(free, allowance(queue, account, true))) or 0
  end
  if free > wanted and not is_hanging() then return free end
  return math.min(free, allowance(queue, account, false))
end

-- Release what one line may release now, and set when it is due again. in_now: how many wait in its lane now; turn: as
-- above, nothing where there are slots for all. Returns how many went, the queues of which it lacks a slot, and whether
-- tasks are left in its lane now.
local function serve(line, birth, in_now, turn)
  local spec, lacks = load_line(line), {}
  if not spec then
    call('ZREM', P .. 'due', line)
    return 0, lacks
  end
  local later = first_later(line)
  if later and later <= now then
    promote(line)
    later, in_now = first_later(line), call('LLEN', key('now', line))
  end
  local ahead = { now = in_now, bulk = call('LLEN', key('bulk', line)) }
  if ahead.now + ahead.bulk == 0 then
    schedule(line, nil, later)
    return 0, lacks
  end
  local tried, probe = paused(line, spec.queue)
  if tried == 0 then
    schedule(line, probe, later)
    return 0, lacks
  end
  local most = math.min(tried or MAX_TASKS_PER_TURN, turn and turn.most or MAX_TASKS_PER_TURN)
  local free = slots_for(spec.queue, line, turn, math.min(most, ahead.now + ahead.bulk))
  local at, fallback, ids, messages = now, nil, {}, {}
  local carrier, carried, again = not tried and ahead.now + ahead.bulk > 1 and load_carrier(line), 0, nil
  local function go_together()
    if slots_for(carrier.spec.queue, line, turn, 1) > 0 then return carry(line, ahead, birth) end
    lacks[carrier.spec.queue] = true
    return 0
  end
  -- What can go at once goes alone, unless that would cost as much as all of it together.
  local first = carrier and ahead.now + ahead.bulk > (carrier.line == line and 1 or math.max(free, 1))
  if first then
    carried, again = go_together()
  end
  local guarded = something_is_aboard()
  local blocked = blocked_until(line, spec)
  -- What draws on the same bucket goes in its next request, rather than alone.
  local together = carried > 0 and carrier.line == line
  if carried > 0 then free = together and 0 or slots_for(spec.queue, line, turn, most) end
  local limit = math.min(free, most, ahead.now + ahead.bulk)
  for _, b in ipairs(spec.buckets) do load_bucket(b) end
  while #ids < free and #ids < most and ahead.now + ahead.bulk > 0 do
    local lane = next_lane(line, ahead, guarded)
    if not lane then
      at, fallback = nil, now + BEHIND_MS
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
    if tried then probed(line) end
  end
  if carrier and not first and ahead.now + ahead.bulk > 1 then carried, again = go_together() end
  if #ids + carried > 0 then
    write_at_end('ZADD', P .. 'served', now, line)
    if carried > 0 and ahead.now + ahead.bulk > 0 then
      local gone = key('gone', line) .. ':' .. math.floor(now / SPAN_MS)
      call('INCRBY', gone, carried)
      call('PEXPIRE', gone, (SPANS + 1) * SPAN_MS)
    end
  end
  if ahead.now + ahead.bulk == 0 then
    schedule(line, nil, later)
  else
    -- Out of slots: it waits for its turn. Out of its turn: due at once, behind the other lines that are due.
    local alone = at and at > now and at or fallback
    if not alone and not together and (#ids >= free or turn and turn.queue == spec.queue) then
      lacks[spec.queue] = true
    end
    alone = alone or (lacks[spec.queue] and now + REVIEW_MS or now)
    schedule(line, again and math.min(again, alone) or alone, later)
  end
  return #ids + carried, lacks, ahead.now > 0
end

-- An account has had a turn in a queue: it stands behind by what it took. before: how many leases were opened then.
local function charge(queue, account, before)
  local took = (opened[queue] or 0) - before
  local time = took > 0 and call('ZSCORE', key('ready', queue), account)
  if time then call('ZADD', key('ready', queue), tonumber(time) + took / weight_of(account), account) end
end

-- Let the accounts that wait for a slot of a queue have what is free of it, each in its turn.
local function take_turns(queue, birth, turns)
  local number = 0
  while turns > 0 and is_contended(queue) and free_slots(queue) > 0 do
    local account, most = next_account(queue)
    if not account then break end
    local mine, before = lacking(queue, account), opened[queue] or 0
    local line = call('ZRANGE', mine, 0, 0)[1]
    if line then
      local own = load_line(line) and load_line(line).queue or queue
      local before_own = opened[own] or 0
      local went, lacks, urgent = serve(line, birth, call('LLEN', key('now', line)), {
        queue = queue, most = most, before = before,
      })
      number = number + went
      charge(queue, account, before)
      if own ~= queue then charge(own, account, before_own) end
      if lacks[queue] then call('ZADD', mine, place(urgent), line) else call('ZREM', mine, line) end
      lacks[queue] = nil
      for other in pairs(lacks) do line_up(other, line, urgent) end
    end
    if call('EXISTS', mine) == 0 then step_out(queue, account) end
    turns = turns - 1
  end
  return number
end

-- Those with urgent tasks come first, then those that were served longest ago: lines may share a bucket.
local function in_order(lines)
  if #lines == 1 then return { { lines[1], 0, 0, call('LLEN', key('now', lines[1])) } } end
  local turns, served = {}, call('ZMSCORE', P .. 'served', unpack(lines))
  for i, line in ipairs(lines) do
    local in_now = call('LLEN', key('now', line))
    turns[i] = { line, in_now > 0 and 0 or 1, tonumber(served[i]) or 0, in_now }
  end
  table.sort(turns, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    if a[3] ~= b[3] then return a[3] < b[3] end
    return a[1] < b[1]
  end)
  return turns
end

-- Release what these lines may release. Where others wait for a slot, or there is not one for each, they line up.
local function serve_lines(lines, birth, lined_up)
  load_lines(lines)
  local number, asking, parts = 0, {}, {}
  for _, line in ipairs(lines) do
    local queue = load_line(line) and load_line(line).queue
    if queue then asking[queue] = (asking[queue] or 0) + 1 end
  end
  for queue, number_of in pairs(asking) do
    parts[queue] = number_of > 1 and math.floor(free_slots(queue) / number_of) or MAX_TASKS_PER_TURN
  end
  for _, each in ipairs(in_order(lines)) do
    local line, in_now = each[1], each[4]
    local queue = load_line(line) and load_line(line).queue
    local went, lacks, urgent = 0, {}, in_now > 0
    if queue and (is_contended(queue) or parts[queue] < 1) and not load_carrier(line) then
      lacks[queue] = true
      schedule(line, now + REVIEW_MS)
    else
      local turn
      if queue and parts[queue] < MAX_TASKS_PER_TURN and not is_contended(queue) then
        local most = math.min(parts[queue], slots_for(queue, line, nil, parts[queue]))
        turn = { queue = queue, most = most, before = opened[queue] or 0 }
      end
      went, lacks, urgent = serve(line, birth, in_now, turn)
    end
    number = number + went
    for lacked in pairs(lacks) do
      line_up(lacked, line, urgent)
      lined_up[lacked] = true
    end
  end
  return number
end

-- Release what may go of the lines that are due, and of those that wait for a slot that is free by now.
local function serve_due(most)
  local due, lines, queues, number = call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, most), {}, {}, 0
  for _, each in ipairs(due) do
    if each:find(':', 1, true) then
      lines[#lines + 1] = each
    elseif is_contended(each) then
      call('ZADD', P .. 'due', now + WATCH_MS, each)
      review(each)
      queues[each] = true
    else
      call('ZREM', P .. 'due', each)
    end
  end
  for queue, of in pairs(opened) do
    if of < 0 and is_contended(queue) then queues[queue] = true end
  end
  if #lines == 0 and not next(queues) then return 0 end
  local birth = born()
  if #lines > 0 then number = serve_lines(lines, birth, queues) end
  for queue in pairs(queues) do number = number + take_turns(queue, birth, most) end
  return number
end

-- A line that is due at once is looked at, as it has just got a task.
local function serve_if_due(line)
  local due = tonumber(call('ZSCORE', P .. 'due', line))
  if not due or due > now then return 0 end
  local birth, queues = born(), {}
  local number = serve_lines({ line }, birth, queues)
  for queue in pairs(queues) do number = number + take_turns(queue, birth, 1) end
  return number
end
