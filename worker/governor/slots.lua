-- The workers' slots, and the accounts that share them.
--
-- Where a queue has too few slots, the accounts that wait for one take turns, by virtual time: a turn costs an account as
-- much as it took, divided by its weight, and who costs least so far is next. Who begins to wait begins at the time of
-- those who wait already. No account holds more than its share while others wait; one that holds it all stands in
-- `capped` until one of its leases is closed.

local WATCH_MS = 20        -- how soon a queue for which accounts wait is looked at, should no closed lease do that
local HANGS_MS = 120000    -- how long an account is remembered whose last request had no answer
local FREE_TURNS = 2       -- turns of everybody else for which an account may hold all that it may without owing for it
local MAX_DEBT_FACTOR = 3  -- for the rest it waits for so many times that long, at most

-- By queue, and by queue and account: how many leases this operation has opened, less those that it has closed.
local opened, opened_by = {}, {}

-- By queue: how many there are, and how many of them are free but for what this operation has changed.
local slots, room = {}, {}

local function free_slots(queue)
  if not room[queue] then
    slots[queue] = tonumber(call('HGET', P .. 'slots', queue)) or 0
    room[queue] = slots[queue] - (tonumber(call('HGET', P .. 'out', queue)) or 0)
  end
  return room[queue] - (opened[queue] or 0)
end

local function account_of(line) return line:match('^[^:]*') end

-- queue "": of requests that processes make themselves, which take no worker's slot
local function count_out(queue, line, number)
  if queue == '' then return end
  local by, account = opened_by[queue] or {}, account_of(line)
  opened_by[queue] = by
  by[account] = (by[account] or 0) + number
  opened[queue] = (opened[queue] or 0) + number
end

-- By queue: whether accounts wait for a slot of it.
local contended = {}

local function is_contended(queue)
  if contended[queue] == nil then contended[queue] = call('EXISTS', key('ready', queue), key('capped', queue)) > 0 end
  return contended[queue]
end

local function waits(queue, account)
  return is_contended(queue)
    and (call('ZSCORE', key('ready', queue), account) or call('ZSCORE', key('capped', queue), account))
end

-- Write down how many leases each account has out; of one that waits, though it may be none.
local function write_holdings(queue)
  local accounts, changes, left, over = {}, {}, {}, {}
  for account, number in pairs(opened_by[queue]) do
    if number ~= 0 then accounts[#accounts + 1], changes[#changes + 1] = account, number end
  end
  if #accounts == 0 then return end
  for i, before in ipairs(call('HMGET', key('out', queue), unpack(accounts))) do
    local number = math.max(0, (tonumber(before) or 0) + changes[i])
    if number > 0 or waits(queue, accounts[i]) then
      left[#left + 1], left[#left + 2] = accounts[i], number
    else
      over[#over + 1] = accounts[i]
    end
  end
  if #left > 0 then call('HSET', key('out', queue), unpack(left)) end
  if #over > 0 then call('HDEL', key('out', queue), unpack(over)) end
end

afterwards[1] = function()
  for queue, number in pairs(opened) do
    if number ~= 0 then call('HINCRBY', P .. 'out', queue, number) end
    write_holdings(queue)
  end
end

local function held(queue, account)
  local by = opened_by[queue]
  return (tonumber(call('HGET', key('out', queue), account)) or 0) + (by and by[account] or 0)
end

local weighted

local function weight_of(account)
  if weighted == nil then weighted = call('EXISTS', P .. 'weights') == 1 end
  return weighted and tonumber(call('HGET', P .. 'weights', account)) or 1
end

-- The weights of the accounts that hold slots of a queue or wait for one.
local function weights_of_all(queue)
  if not weighted then return call('HLEN', key('out', queue)) end
  local accounts, sum = call('HKEYS', key('out', queue)), 0
  for first = 1, #accounts, MAX_UNPACKED do
    local last = math.min(first + MAX_UNPACKED - 1, #accounts)
    for _, weight in ipairs(call('HMGET', P .. 'weights', unpack(accounts, first, last))) do
      sum = sum + (tonumber(weight) or 1)
    end
  end
  return sum
end

-- An account's part of the slots of a queue, and the weight of the others.
local function share_of(queue, account)
  local own = weight_of(account)
  local others = weights_of_all(queue) - (call('HEXISTS', key('out', queue), account) == 1 and own or 0)
  free_slots(queue)
  return slots[queue] * own / (own + others), others
end

local hanging

-- Whether the last request of any account, or of this one, had no answer.
local function is_hanging(account)
  if hanging == nil then hanging = call('EXISTS', P .. 'unanswered') == 1 end
  if not hanging or not account then return hanging end
  local since = tonumber(call('HGET', P .. 'unanswered', account))
  return since and since > now - HANGS_MS
end

-- How many more slots of a queue an account may take. If another account waits for slots (wanted), it may hold its
-- share; otherwise all slots but one. If Klaviyo leaves its requests without an answer, it may never hold more than its
-- share, and its slots of all queues count. An account that has the queue to itself may hold every slot.
local function allowance(queue, account, wanted)
  local share, others = share_of(queue, account)
  local holds, most, hangs = held(queue, account), slots[queue], is_hanging(account)
  for _, other in ipairs(hangs and call('HKEYS', P .. 'slots') or {}) do
    if other ~= queue then
      local _, theirs = share_of(other, account)
      holds, others = holds + held(other, account), math.max(others, theirs)
    end
  end
  if others <= 0 then return most - holds end
  if hangs then share = most * weight_of(account) / (weight_of(account) + others) end
  if wanted or hangs then most = math.ceil(share) end
  return math.max(1, math.min(most, slots[queue] - 1)) - holds
end

-- The virtual time of a queue: that of the account whose turn is next.
local function virtual_time(queue)
  local first = call('ZRANGE', key('ready', queue), 0, 0, 'WITHSCORES')[2]
  return tonumber(first or call('ZRANGE', key('capped', queue), 0, 0, 'REV', 'WITHSCORES')[2]) or 0
end

-- An account that was capped has closed a lease, and may have turns again. If its share is less than a whole slot, it
-- has held more than its share; if it held the slot for long, its next turn comes later, to make up for that.
local function let_in_again(queue, account)
  local time = is_contended(queue) and tonumber(call('ZSCORE', key('capped', queue), account))
  if not time then return end
  local present = virtual_time(queue)
  local long = present - time - FREE_TURNS
  if long > 0 then
    local share = share_of(queue, account)
    time = present + long * math.min(MAX_DEBT_FACTOR, math.max(1, math.ceil(share)) / share - 1)
  end
  call('ZREM', key('capped', queue), account)
  call('ZADD', key('ready', queue), time, account)
end
