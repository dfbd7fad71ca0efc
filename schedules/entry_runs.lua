-- The record of a scheduled entry, and whether a run of it may start or continue. One script, so that of two deliveries,
-- two beats or two days only one starts.
--
-- KEYS[1]  hash of the entry; its fields are those of EntryRecord in schedules/entry_runs.py
-- ARGV[1]  operation; ARGV[2] the run, "<entry>@<due time>": of two runs of an entry the later one sorts last

local key, op, run = KEYS[1], ARGV[1], ARGV[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function get(...) return unpack(redis.call('HMGET', key, ...)) end
local function set(...) redis.call('HSET', key, ...) end

local ops = {}

-- Start a run that lives for `ms` from now; `delivery` is the message that asks. "running" and "over" are refusals.
function ops.begin(delivery, ms)
  local state, current, asked, before = get('state', 'run', 'delivery', 'until')
  if state == 'running' and current == run and asked == delivery then
    -- The worker that had this message died, perhaps before it published the first step.
    set('until', now + ms)
    return 'again'
  end
  if current and run <= current then return 'over' end
  local lost = false
  if state == 'running' then
    if now < tonumber(before) then
      set('skipped', run)
      return 'running'
    end
    lost = true
  end
  set('state', 'running', 'run', run, 'delivery', delivery, 'started', now, 'until', now + ms, 'message', '')
  redis.call('HDEL', key, 'ended')
  return lost and 'lost' or 'begun'
end

-- Keep the run alive for `ms` from now.
function ops.renew(ms)
  local state, current = get('state', 'run')
  if state ~= 'running' or current ~= run then return 0 end
  set('until', now + ms)
  return 1
end

ops['end'] = function(state, message)
  local before, current = get('state', 'run')
  if before ~= 'running' or current ~= run then return 0 end
  set('state', state, 'ended', now, 'message', message)
  if state == 'ok' then set('succeeded', now) end
  return 1
end

-- Concerns no run: from now on beat schedules the entry, by this timetable.
function ops.plan(when)
  set('when', when, 'since', now)
  return 1
end

return ops[op](unpack(ARGV, 3))
