-- Pause and resume accounts, actions and tiers.

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
