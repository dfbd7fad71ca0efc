-- What the end of a request tells: its lease, Klaviyo's headers, and that its key was accepted.

local SAME_WINDOW_MS = 2500  -- two estimates of when a window ends that differ by less mean the same window

-- Correct a bucket by Klaviyo's headers: its limit a minute, and how much of it others have used. Return the limit if
-- it is a new one, otherwise 0.
local function correct(line, b, limit, remaining, reset)
  local name = key('bucket', b.name)
  load_bucket(b)
  local declared
  for _, w in ipairs(b.windows) do
    if w[2] == MINUTE_MS then declared = w[1] end
  end
  local adopted = 0
  if limit ~= (b.limit or declared) then
    adopted = limit
    if limit == declared then call('HDEL', name, 'limit') else call('HSET', name, 'limit', limit) end
    look_again(line, true, 0)
  end
  -- Others' use: what Klaviyo has counted in its window beyond what we can have sent in it.
  local used, starts, ring = limit - remaining, now + reset * 1000 - MINUTE_MS - MAX_RESET_ERROR_MS, key('ring', b.name)
  local beyond = used - b.flight
  if beyond > 0 then
    local answered = tonumber(call('LINDEX', ring, beyond - 1))
    if not answered or answered < starts then
      local ours = answered_since(ring, starts, beyond - 1)
      local foreign, ends = beyond - ours, now + reset * 1000
      if math.abs(b.foreign_until - ends) < SAME_WINDOW_MS and b.foreign > foreign then foreign = b.foreign end
      call('HSET', name, 'foreign', foreign, 'foreign_until', ends)
      look_again(line, true, 0)
    end
  end
  return adopted
end

local nothing_noted

-- Whether there is nothing about any account that an answer could end.
local function is_nothing_noted()
  if nothing_noted == nil then nothing_noted = call('EXISTS', P .. 'forbidden', P .. 'paused', P .. 'unanswered') == 0 end
  return nothing_noted
end

-- Klaviyo has answered. If it has accepted the account's credentials, the pause ends that it made by refusing them
-- before. accepted_key: the fingerprint of the credentials; "" if they were not accepted, "*" if they are known to be
-- the workers'. That Klaviyo accepts other credentials than those it refused says nothing about the workers'.
local function note_answer(line, accepted_key)
  if is_nothing_noted() then return end
  local account = account_of(line)
  call('HDEL', P .. 'unanswered', account)
  if accepted_key == '' then return end
  call('HDEL', P .. 'forbidden', account)
  local value = call('HGET', P .. 'paused', 'account:' .. account) or '0|'
  local same = accepted_key == '*' or value:find('"key":"' .. accepted_key .. '"', 1, true)
  if value:sub(1, 2) ~= '0|' and same then
    call('HDEL', P .. 'paused', 'account:' .. account)
    wake_all()
  end
end

-- Close the lease of a request that has ended; the arguments and the result are those of ops.close.
local function end_request(id, used, limit, remaining, reset, block, accepted_key, unanswered, reason)
  local line, spec = close_lease(id, used == '1')
  if not line then return 0 end
  if unanswered == '1' then
    call('HSET', P .. 'unanswered', account_of(line), now)
    hanging = true
  elseif used == '1' or tonumber(block) > 0 and reason == '' then
    note_answer(line, accepted_key)
  end
  if tonumber(block) > 0 then
    -- With several buckets nobody says which one was full: only this combination waits. What is no 429 concerns no bucket.
    local who = reason == '' and #spec.buckets == 1 and spec.buckets[1].name or line
    local was, passes = tonumber(call('HGET', P .. 'blocked', who)) or 0, now + tonumber(block)
    if passes > was then
      call('HSET', P .. 'blocked', who, passes)
      if reason == '' then call('HDEL', P .. 'block_reasons', who) else call('HSET', P .. 'block_reasons', who, reason) end
    end
  elseif limit ~= '' and #spec.buckets == 1 then
    return correct(line, spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
  end
  return 0
end
