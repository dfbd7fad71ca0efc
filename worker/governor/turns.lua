-- Who waits for a slot of a queue: lines, and their accounts by virtual time.

local REVIEW_MS = 30000  -- how soon a line that waits for a slot is looked at in any case
-- By how much a line with nothing in the lane now stands behind the others of its account.
local AFTER_URGENT_MS = 1e14
local turn_number = 0

local function lacking(queue, account) return key('lacking', queue .. ':' .. account) end

-- When it is a line's turn among those of its account: urgent ones first, then those that were served longest ago.
local function place(urgent)
  turn_number = turn_number + 1
  return now + turn_number / 1024 + (urgent and 0 or AFTER_URGENT_MS)
end

-- A line waits for a slot of a queue from now on, unless it does already.
local function line_up(queue, line, urgent)
  local account = account_of(line)
  call('ZADD', lacking(queue, account), 'LT', place(urgent), line)
  if waits(queue, account) then return end
  local before = tonumber(call('ZSCORE', key('turns', queue), account)) or 0
  call('ZADD', key('ready', queue), math.max(before, virtual_time(queue)), account)
  call('HSETNX', key('out', queue), account, 0)
  call('ZADD', P .. 'due', 'NX', now + WATCH_MS, queue)
  contended[queue] = true
end

-- No line of an account waits for a slot any more. What its last turn has cost is remembered while others wait.
local function step_out(queue, account)
  call('ZADD', key('turns', queue), call('ZSCORE', key('ready', queue), account), account)
  call('ZREM', key('ready', queue), account)
  if held(queue, account) <= 0 then call('HDEL', key('out', queue), account) end
  contended[queue] = nil
  if is_contended(queue) then
    call('ZREMRANGEBYSCORE', key('turns', queue), '-inf', virtual_time(queue))
  else
    call('DEL', key('turns', queue))
  end
end

-- The account whose turn it is, and how many slots it may take; nothing where none may take any.
local function next_account(queue)
  local ready, capped = key('ready', queue), key('capped', queue)
  while true do
    local account, time = unpack(call('ZRANGE', ready, 0, 0, 'WITHSCORES'))
    local others = call('ZCARD', ready)
    if not account then
      account, time = unpack(call('ZRANGE', capped, 0, 0, 'WITHSCORES'))
      if not account then return end
    end
    local most = allowance(queue, account, others > 1)
    if most > 0 then
      if others == 0 then
        call('ZREM', capped, account)
        call('ZADD', ready, time, account)
      end
      return account, math.max(1, math.min(most, math.floor(free_slots(queue) / math.max(1, others))))
    end
    if others == 0 then return end
    call('ZREM', ready, account)
    call('ZADD', capped, time, account)
  end
end

-- One of those that hold all that they may is looked at again, as fewer may share the slots by now.
local function review(queue)
  local number = call('ZCARD', key('capped', queue))
  local which = number > 0 and math.floor(now / WATCH_MS) % number
  local account = which and call('ZRANGE', key('capped', queue), which, which)[1]
  if not account or allowance(queue, account, call('EXISTS', key('ready', queue)) == 1) < 1 then return end
  call('ZADD', key('ready', queue), call('ZSCORE', key('capped', queue), account), account)
  call('ZREM', key('capped', queue), account)
end
