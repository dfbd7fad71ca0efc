-- The waiting lists of a line: putting a task in, finding it, taking it out.

-- Tasks whose time has come: a delayed one to the tail of its lane, one that has waited in it before to the head.
local function promote(line)
  local later, heads = key('later', line), {}
  for _, item in ipairs(call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 1000)) do
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

-- By line: when it is due again, false for never. The last word counts: a line may be served more than once.
local due_again = {}

-- first: as above
local function schedule(line, at, first)
  if first and (not at or first < at) then at = first end
  due_again[line] = at or false
end

afterwards[3] = function()
  local due, over = {}, {}
  for line, at in pairs(due_again) do
    if at then
      due[#due + 1], due[#due + 2] = at, line
    else
      over[#over + 1] = line
    end
  end
  if #due > 0 then call('ZADD', P .. 'due', unpack(due)) end
  if #over > 0 then call('ZREM', P .. 'due', unpack(over)) end
end

-- The lane, the line and the message of a task as it is in waiting, and what it can share.
local function taken_apart(stored)
  -- A message may be megabytes long: a pattern that took all of it would copy it once more.
  local ends = stored:find('\n', 1, true)
  local lane, line, share = stored:sub(1, ends - 1):match('^(%a+)|([^|]*)|?(.*)$')
  return lane, line, stored:sub(ends + 1), share
end

-- What waits under an id: lane, line, message, share; nothing where it does not wait.
local function find(id)
  local stored = call('HGET', P .. 'waiting', id)
  if not stored then return end
  return taken_apart(stored)
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

-- Put a task into its waiting list, unless a copy of it waits already. at_head: it has waited before. share, carrier:
-- what it can share with others, and the request that would carry them.
local function enqueue(line, lane, id, message, not_before, at_head, share, carrier)
  if call('HSETNX', P .. 'waiting', id, lane .. '|' .. line .. '|' .. share .. '\n' .. message) == 0 then return end
  local expires = call('HGET', P .. 'expires', id)
  if expires then call('ZADD', P .. 'expiring', expires, id) end
  if is_leased(id) then not_before = math.max(not_before, lease_deadline(id) + 1) end
  if not_before > now then
    enter_carrier(line, carrier)
    call('ZADD', key('later', line), not_before, lane .. (at_head and '|^' or '|') .. id)
    call('ZADD', P .. 'due', 'LT', not_before, line)
  else
    local length = call(at_head and 'RPUSH' or 'LPUSH', key(lane, line), id)
    local other = length == 1 and call('EXISTS', key(lane == 'now' and 'bulk' or 'now', line)) == 1
    -- One alone shares nothing. What it could not do, two can: they need not wait for what the first one waits for.
    local several = share ~= '' and length <= FEW_TASKS and (length > 1 or other)
    if several then enter_carrier(line, carrier) end
    -- A line that is due later is due then for a reason that one more task does not change; but what is kept for
    -- the lane now is kept for this one.
    local first = lane == 'now' and other
    if first or several or not call('ZSCORE', P .. 'due', line) or call('ZCARD', key('later', line)) > 0 then
      call('ZADD', P .. 'due', 'LT', now, line)
    end
  end
end

-- The same for one that a worker has held: where it has travelled with others and has its outcome, it is only to be ended.
local function put_back(line, lane, id, message, ...)
  if call('EXISTS', key('outcome', id)) == 0 then return enqueue(line, lane, id, message, ...) end
  local queue = load_line(line).queue
  call('RPUSH', queue, message)
  wake(queue, 1)
end

-- Somebody waits for the answer of such a request: from now on the lane bulk leaves room for the next one.
local function mark_urgent(spec_text)
  for account, name in spec_text:gmatch(';([^:]*)(:.-)=[%d:,]+') do
    local bucket = key('bucket', budget_of(account) .. name)
    if (tonumber(call('HGET', bucket, 'urgent')) or 0) < now + RECENT_MS * 0.9 then
      call('HSET', bucket, 'urgent', now + RECENT_MS)
    end
  end
end

-- When a task expires, from what a publisher says: "+ms" from now, or a moment in ms; "" for never.
local function set_expiry(id, expires)
  if expires == '' then return end
  local at = tonumber(expires)
  call('HSET', P .. 'expires', id, expires:sub(1, 1) == '+' and now + at or at)
end

-- Nothing about a task need be remembered any more, but that it was revoked.
local function forget(id)
  for _, what in ipairs({ 'attempts', 'expires', 'roomless' }) do call('HDEL', P .. what, id) end
end

-- Something that was paused goes on: all its lines are looked at.
local function wake_all()
  for _, line in ipairs(call('HKEYS', P .. 'lines')) do call('ZADD', P .. 'due', 'LT', now, line) end
end

-- Whether a result is that of a task that has ended.
local function has_ended(name)
  local result = (call('GET', name) or ''):sub(1, 40)
  for _, state in ipairs({ 'SUCCESS', 'FAILURE', 'REVOKED' }) do
    if result:find('"' .. state .. '"', 1, true) then return true end
  end
end
