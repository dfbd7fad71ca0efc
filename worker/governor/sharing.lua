-- Calls of a line that travel in one request: which of them.

-- A task as a part of a request: count, bytes, once, key, {{what, said}, …}; nothing for one that goes alone.
local function part_of(share)
  local count, bytes, once, kin, rest = share:match('^(%d+) (%d+) ([01]) (%S+)(.*)$')
  if not count then return end
  local marks = {}
  for what, said in rest:gmatch(' ([^ =]+)=([^ ]*)') do marks[#marks + 1] = { what, said } end
  return { count = tonumber(count), bytes = tonumber(bytes), once = once == '1', kin = kin, marks = marks }
end

-- The fields of aboard for what a task says of things whose order matters.
local function fields_of(line, part)
  local fields = {}
  for _, mark in ipairs(part.marks) do
    if mark[1]:sub(1, 1) ~= '!' then fields[#fields + 1] = line .. ' ' .. mark[1] end
  end
  return fields
end

-- Whether something is under way with others that this task must not overtake: they take longer than one alone.
local function is_behind(line, part)
  local fields = fields_of(line, part)
  for _, carrier in ipairs(#fields > 0 and call('HMGET', P .. 'aboard', unpack(fields)) or {}) do
    if carrier and call('HEXISTS', P .. 'riding', carrier) == 1 then return true end
  end
  return false
end

-- Choose tasks of a line that fit into one request, in order. Return {id, lane, stored} for each, and for each lane how
-- many tasks were looked at and which of them stay in it. Nothing is changed. Of two tasks that say different things
-- about one record, the second stays, so that it is sent after the first. All tasks of a request have the same key; if
-- no other has the key of the first task, that one is passed over, and the choice begins anew.
local function choose(line, carrier, passed)
  local chosen, lanes, said, behind = {}, {}, {}, {}
  local count, bytes, looked, read, kin, full = 0, 0, 0, 0, nil, false
  for _, lane in ipairs({ 'now', 'bulk' }) do
    local list, seen, left, over = key(lane, line), 0, {}, false
    while not (full or over) do
      local ids = call('LRANGE', list, -seen - 50, -seen - 1)
      if #ids == 0 then break end
      local stored, leases = call('HMGET', P .. 'waiting', unpack(ids)), call('HMGET', P .. 'lease', unpack(ids))
      for i = #ids, 1, -1 do
        local head = stored[i] and stored[i]:sub(1, stored[i]:find('\n', 1, true) - 1)
        local part, fits = head and part_of(head:match('^%a+|[^|]*|?(.*)$')), false
        local may = part and not leases[i] and part.count <= carrier.most and part.bytes <= carrier.bytes
        if may and not passed[part.kin] and not (part.once and call('EXISTS', key('sent', ids[i])) == 1) then
          kin = kin or part.kin
          fits = part.kin == kin
          if fits and (count + part.count > carrier.most or bytes + part.bytes > carrier.bytes) then
            full = true
            break
          end
          for _, mark in ipairs(part.marks) do
            local before = said[mark[1]]
            if behind[mark[1]] or before and (before == '' or before ~= mark[2]) then fits = false end
          end
          fits = fits and not is_behind(line, part)
        end
        seen, looked, read = seen + 1, looked + 1, read + (stored[i] and #stored[i] or 0)
        if fits then
          for _, mark in ipairs(part.marks) do said[mark[1]] = mark[2] end
          chosen[#chosen + 1] = { id = ids[i], lane = lane, stored = stored[i], part = part }
          count, bytes = count + part.count, bytes + part.bytes
        elseif stored[i] then
          for _, mark in ipairs(part and part.marks or {}) do behind[mark[1]] = true end
          left[#left + 1] = ids[i]
        end
        over = looked >= math.min(LOOKED_AT_FIRST + LOOKED_AT_MORE * #chosen, MAX_LOOKED_AT)
          or read >= MAX_LOOKED_AT_BYTES
        if over or count == carrier.most then break end
      end
      over = over or count == carrier.most
    end
    lanes[lane] = { seen = seen, left = left }
    if full or over then break end
  end
  if #chosen > 1 then return chosen, lanes end
  if kin and passed.number < MAX_LONE_KEYS then
    passed[kin], passed.number = true, passed.number + 1
    return choose(line, carrier, passed)
  end
end

-- The message that stands in a tier's queue for all that travel with it (Celery's protocol, an empty call).
local CARRIER = '{"body":"'
  .. 'W1tdLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=",'
  .. '"content-encoding":"utf-8","content-type":"application/json","headers":{"lang":"py","task":"klaviyo.together",'
  .. '"id":%s,"root_id":%s,"parent_id":null,"group":null,"argsrepr":"()","kwargsrepr":"{}","origin":"governor",'
  .. '"retries":0,"eta":null,"expires":null,"timelimit":[null,null],"ignore_result":true},"properties":{'
  .. '"correlation_id":%s,"reply_to":"","delivery_mode":2,"priority":0,"body_encoding":"base64","delivery_tag":"",'
  .. '"delivery_info":{"exchange":"","routing_key":"%s"}}}'

local aboard

-- Let the tasks at the head of a line go in one request: returns how many went, and when it is worth looking again.
local function carry(line, ahead, birth)
  local carrier = load_carrier(line)
  if not carrier or call('EXISTS', P .. 'alone') == 1 or paused(carrier.line, carrier.spec.queue) then return 0 end
  for _, b in ipairs(carrier.spec.buckets) do load_bucket(b) end
  local blocked = blocked_until(carrier.line, carrier.spec)
  local function grant(lane) return next_grant(carrier.spec, birth, lane, blocked, 1) end
  local at, fallback = grant(ahead.now > 0 and 'now' or 'bulk')
  if not at or at > now then return 0, at or fallback end
  local chosen, lanes = choose(line, carrier, { number = 0 })
  if not chosen then return 0 end
  if ahead.now > 0 and chosen[1].lane == 'bulk' then
    at, fallback = grant('bulk')
    if not at or at > now then return 0, at or fallback end
  end
  local id = 'together-' .. call('INCR', P .. 'carried') .. '-' .. chosen[1].id
  local ids, riders, leases, deadlines = {}, {}, {}, {}
  for i, each in ipairs(chosen) do
    for _, field in ipairs(fields_of(line, each.part)) do
      call('HSET', P .. 'aboard', field, id)
      aboard = true
    end
    ids[i], riders[i] = each.id, each.id .. '\n' .. each.stored
    leases[2 * i - 1], leases[2 * i] = each.id, '|@' .. id
    deadlines[2 * i - 1], deadlines[2 * i] = now + GRANT_TTL_MS, each.id
  end
  for lane, each in pairs(lanes) do
    call('LTRIM', key(lane, line), 0, -each.seen - 1)
    local back = {}
    for i = #each.left, 1, -1 do back[#back + 1] = each.left[i] end
    if #back > 0 then call('RPUSH', key(lane, line), unpack(back)) end
    ahead[lane] = call('LLEN', key(lane, line))
  end
  call('HDEL', P .. 'waiting', unpack(ids))
  call('ZREM', P .. 'expiring', unpack(ids))
  call('RPUSH', key('riders', id), unpack(riders))
  call('HSET', P .. 'riding', id, carrier.spec.queue .. '|' .. line)
  -- None of them runs a second time meanwhile; what they draw on is the request's.
  call('HSET', P .. 'lease', unpack(leases))
  call('ZADD', P .. 'granted', unpack(deadlines))
  if carrier.line ~= line then enter_line(carrier.line, carrier.text) end
  local quoted = cjson.encode(id)
  send_off({ id }, { CARRIER:format(quoted, quoted, quoted, carrier.spec.queue) }, carrier.line, carrier.spec)
  for _, b in ipairs(carrier.spec.buckets) do b.flight = b.flight + 1 end
  return #ids, now
end

-- Whether anything is under way that a task must not overtake.
local function something_is_aboard()
  if aboard == nil then aboard = call('EXISTS', P .. 'aboard') == 1 end
  return aboard
end

-- Bring the first task of a lane that may go to its head, past those that have to stay until something has arrived that
-- went before them. behind: what those say, which nothing after them may go before. Returns whether there is one.
local function bring_forward(line, lane, behind)
  local list = key(lane, line)
  for place = 1, LOOKED_AT_FIRST do
    local id = call('LINDEX', list, -place)
    if not id then return false end
    local _, _, _, share = find(id)
    local part = share and part_of(share)
    local fields, stays = part and fields_of(line, part) or {}, part and is_behind(line, part)
    for _, field in ipairs(fields) do stays = stays or behind[field] end
    if not stays then
      if place > 1 then
        call('LREM', list, -1, id)
        call('RPUSH', list, id)
      end
      return true
    end
    for _, field in ipairs(fields) do behind[field] = true end
  end
  return false
end

-- The lane that is next, nothing where nobody may go; guarded: something is under way that a task may have to wait for.
local function next_lane(line, ahead, guarded)
  local behind = {}
  for _, lane in ipairs({ 'now', 'bulk' }) do
    if ahead[lane] > 0 and (not guarded or bring_forward(line, lane, behind)) then return lane end
  end
end
