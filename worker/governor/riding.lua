-- A request that several calls travel with: claiming its lease with theirs, and ending all of them atomically.

-- carrier ttl_ms holder -> {} if there is nothing to send, else {id, attempts, "lane|line|share\nmessage", …}
-- Claim the lease of a request that several tasks travel with, and theirs. What nobody wants any more is left out: its
-- message goes to a worker by itself, which ends it. Where the request must not be made now, all wait again.
function ops.board(carrier, ttl, holder)
  local riding = call('HGET', P .. 'riding', carrier)
  if not riding then return {} end
  local held_by = call('HGET', P .. 'holder', carrier)
  if held_by and held_by ~= holder then return {} end
  local riders, going = riders_of(carrier), {}
  if not held_by then
    local deadline = tonumber(call('ZSCORE', P .. 'granted', carrier))
    if not deadline or deadline <= now or #riders == 0 then
      turn_back(carrier)
      return {}
    end
    local queue, line = call('HGET', P .. 'lease', carrier):match('^([^|]*)|(.*)$')
    if paused(line, queue) or paused(riders[1].line, load_line(riders[1].line).queue) then
      turn_back(carrier)
      return {}
    end
    local left, items, repeatable = {}, {}, true
    for _, each in ipairs(riders) do
      local expires = tonumber(call('HGET', P .. 'expires', each.id))
      local once = part_of(each.share).once
      local sent = once and call('EXISTS', key('sent', each.id)) == 1
      if sent or expires and expires <= now or call('EXISTS', key('revoked', each.id)) == 1 then
        left[#left + 1] = each
      else
        repeatable = repeatable and not once
        going[#going + 1] = each
        items[#items + 1] = each.id .. '\n' .. each.stored
      end
    end
    -- Whoever has sent them may not have said so yet.
    if not repeatable and is_reunion(born()) then
      turn_back(carrier)
      return {}
    end
    if #left > 0 then
      alight(left, going)
      close_leases(ids_of(left), false)
      call('DEL', key('riders', carrier))
      if #items > 0 then call('RPUSH', key('riders', carrier), unpack(items)) end
      for _, each in ipairs(left) do
        local its = load_line(each.line).queue
        call('LPUSH', its, each.message)
        wake(its, 1)
      end
    end
    if #going == 0 then
      turn_back(carrier)
      return {}
    end
    local deadlines, holders = { now + tonumber(ttl), carrier }, { carrier, holder }
    for _, each in ipairs(going) do
      for _, value in ipairs({ now + tonumber(ttl), each.id }) do deadlines[#deadlines + 1] = value end
      for _, value in ipairs({ each.id, holder }) do holders[#holders + 1] = value end
      if part_of(each.share).once then call('SET', key('sent', each.id), now, 'PX', 7 * DAY_MS) end
    end
    call('ZREM', P .. 'granted', carrier, unpack(ids_of(going)))
    call('ZADD', P .. 'claimed', unpack(deadlines))
    call('HSET', P .. 'holder', unpack(holders))
  else
    going = riders
  end
  local found, attempts = {}, call('HMGET', P .. 'attempts', unpack(ids_of(going)))
  for i, each in ipairs(going) do
    for _, value in ipairs({ each.id, attempts[i] or '0', each.stored }) do found[#found + 1] = value end
  end
  return found
end

-- unacked unacked_index tag carrier | used limit remaining reset block_ms accepted_key forget unanswered reason |
-- delay_ms attempt ttl_s |
-- id how what key value, for each task -> adopted limit, 0, or -1 if it is no longer ours
-- The end of a request that several tasks traveled with, atomically: its lease is closed as above, and of each task
--   how = done  the result is stored, key "" where nobody wants one: it is over
--   how = decided  what has become of it is kept as `what`, and its message goes to a worker, which ends it as any other
--   how = wait  it waits again, with `what` as its share, after the delay; the result says so, and why
-- forget: nothing was carried out; attempt: an attempt was used up. Whoever is not named was not sent: it waits again, and
-- goes alone.
function ops.arrive(unacked, index, tag, carrier, used, limit, remaining, reset, block, accepted_key, forgotten,
    unanswered, reason, delay, attempt, ttl, ...)
  local riding = call('HGET', P .. 'riding', carrier)
  local held_by = call('HGET', P .. 'holder', carrier)
  if not riding or held_by and held_by ~= tag then return -1 end
  local given, riders, places, over, waiting, unsent = { ... }, riders_of(carrier), {}, {}, {}, {}
  for i = 1, #given, 5 do places[given[i]] = i end
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  call('HDEL', P .. 'riding', carrier)
  call('DEL', key('riders', carrier))
  alight(riders, {})
  close_leases(ids_of(riders), false)
  local adopted = end_request(carrier, used, limit, remaining, reset, block, accepted_key, unanswered, reason)
  for _, each in ipairs(riders) do
    local i = places[each.id]
    local how, what, name, value
    if i then how, what, name, value = unpack(given, i + 1, i + 4) end
    if how == 'done' then
      over[#over + 1] = each.id
      if name ~= '' then publish(name, value, ttl) end
    elseif how == 'decided' then
      local queue = load_line(each.line).queue
      call('SET', key('outcome', each.id), what, 'PX', 7 * DAY_MS)
      call('LPUSH', queue, each.message)
      wake(queue, 1)
    elseif i then
      each.share = what
      if forgotten == '1' then call('DEL', key('sent', each.id)) end
      if attempt == '1' then call('HINCRBY', P .. 'attempts', each.id, 1) end
      if name ~= '' and not has_ended(name) then publish(name, value, ttl) end
      waiting[#waiting + 1] = each
    else
      each.share = ''
      call('DEL', key('sent', each.id))
      unsent[#unsent + 1] = each
    end
  end
  for _, what in ipairs(#over > 0 and { 'attempts', 'expires', 'roomless' } or {}) do
    call('HDEL', P .. what, unpack(over))
  end
  back_in_line(waiting, now + tonumber(delay))
  back_in_line(unsent, now)
  call('ZADD', P .. 'due', 'LT', now, riding:match('|(.*)$'))
  serve_due(8)
  return adopted
end

-- unacked unacked_index tag carrier id… -> 1, or 0 if it is no longer ours. A job of Klaviyo's will carry these tasks,
-- whose request has a lease of its own: they are under way until ops.arrive ends them, however long that takes. Whoever
-- is not named waits again, and goes alone.
function ops.hand_over(unacked, index, tag, carrier, ...)
  local riding = call('HGET', P .. 'riding', carrier)
  if not riding or call('HGET', P .. 'holder', carrier) ~= tag then return 0 end
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  local named, going, staying, items = {}, {}, {}, {}
  for _, id in ipairs({ ... }) do named[id] = true end
  for _, each in ipairs(riders_of(carrier)) do
    if named[each.id] then
      going[#going + 1] = each
      items[#items + 1] = each.id .. '\n' .. each.stored
    else
      staying[#staying + 1] = each
    end
  end
  call('DEL', key('riders', carrier))
  call('RPUSH', key('riders', carrier), unpack(items))
  call('HSET', P .. 'riding', carrier, '@' .. riding)
  call('ZREM', P .. 'claimed', unpack({ ... }))
  if #staying > 0 then
    alight(staying, going)
    close_leases(ids_of(staying), false)
    for _, each in ipairs(staying) do each.share = '' end
    back_in_line(staying, now)
  end
  close_leases({ carrier }, false)
  call('ZADD', P .. 'due', 'LT', now, riding:match('|(.*)$'))
  serve_due(8)
  return 1
end
