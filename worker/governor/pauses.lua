-- What is paused, and when it may be tried.

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
  interval = math.min(2 * interval, MAX_PROBE_INTERVAL_MS)
  call('HSET', P .. 'paused', account, (now + interval) .. '|' .. interval .. about)
end
