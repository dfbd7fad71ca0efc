-- Pause and resume accounts, actions and tiers.

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

-- Something that was paused goes on: all its lines are looked at.
local function wake_all()
  for _, line in ipairs(call('HKEYS', P .. 'lines')) do call('ZADD', P .. 'due', 'LT', now, line) end
end

-- account -> how often Klaviyo has answered 403 since it last accepted a request of this account
function ops.forbidden(account)
  return call('HINCRBY', P .. 'forbidden', account, 1)
end

-- what probe_after_ms about -> 1 if it was not paused before. probe_after_ms 0: until somebody resumes it.
-- A worker that finds a paused account refused once more changes nothing: neither what somebody has paused on purpose,
-- nor when the next task is tried.
function ops.pause(what, probe, about)
  local before = call('HEXISTS', P .. 'paused', what) == 1
  if before and probe ~= '0' then return 0 end
  call('HSET', P .. 'paused', what, (probe == '0' and 0 or now + tonumber(probe)) .. '|' .. probe .. '|' .. about)
  return before and 0 or 1
end

-- what -> 1 if it was paused
function ops.resume(what)
  local found = call('HDEL', P .. 'paused', what)
  if found == 1 then wake_all() end
  return found
end
