-- What becomes of a delivery or a lease that leads to no answer: it goes back, or is over.

-- unacked unacked_index tag queue line spec lane id message share carrier -> 1 if the delivery was still on record
-- What a worker held goes back: to the head of its waiting list or, with line "", of its queue. A lease that nobody has
-- claimed would go with it, and nobody can claim it while it waits: it returns unused. The first write frees memory:
-- after it, a server that is full lets the rest pass.
function ops.restore(unacked, index, tag, queue, line, spec, lane, id, message, share, carrier)
  local held = call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  if held == 0 then return 0 end
  drop_failure(id)  -- it goes on, though it had failed before that was told to those who follow it
  if call('HEXISTS', P .. 'riding', id) == 1 then
    turn_back(id)
    return 1
  end
  if line == '' then
    call('RPUSH', queue, message)
  else
    enter_line(line, spec)
    if call('ZSCORE', P .. 'granted', id) then close_lease(id, false) end
    put_back(line, lane, id, message, now, true, share, carrier)
  end
  return 1
end

-- id holder -> 1 if its lease had been granted and not claimed, or claimed for this delivery when it was taken, and
-- nothing was sent by it; it returns unused
function ops.release(id, holder)
  local ours = holder ~= '' and call('HGET', P .. 'holder', id) == holder
  if not ours and not call('ZSCORE', P .. 'granted', id) then return 0 end
  close_lease(id, false)
  return 1
end

-- unacked unacked_index tag | line spec lane id delay_ms at_head count expires share carrier -> attempts used, -1 if no
-- longer ours. count: the hash in which this is counted, attempts or roomless; or ""
-- Moves the message of a delivery from the broker's list of unacknowledged ones to its waiting list, atomically.
function ops.park(unacked, index, tag, line, spec, lane, id, delay, at_head, count, expires, share, carrier)
  local stored = call('HGET', unacked, tag)
  if not stored then return -1 end
  local message = stored:match('^%[(.*),"","[^"]*"%]$')  -- as ops.take wrote it
  call('HDEL', unacked, tag)
  call('ZREM', index, tag)
  enter_line(line, spec)
  set_expiry(id, expires)
  if count ~= '' then call('HINCRBY', P .. count, id, 1) end
  put_back(line, lane, id, message, now + tonumber(delay), at_head == '1', share, carrier)
  return tonumber(call('HGET', P .. 'attempts', id)) or 0
end

-- id -> 1. The task is over; its message may be delivered once more.
function ops.done(id)
  forget(id)
  return 1
end
