-- Take tasks out again: one that was revoked, or all of a queue.

-- id reason ttl_ms -> the message of a task that waits, or false. From now on no claim of it is granted.
function ops.revoke(id, reason, ttl)
  -- Once: each worker that hears of it says so again.
  call('SET', key('revoked', id), reason, 'PX', ttl, 'NX')
  local _, _, message = find(id)
  return message or false
end

-- id result_key result ttl_s ours -> 1 if it waited: it is out of its list, and told as the result says. Where it does
-- not wait and nobody has claimed it, only that is told; the worker that gets it will tell the same. ours: 1 where the
-- id is certainly one of ours; what another application's workers carry out is theirs to tell.
function ops.withdraw(id, result_key, result, ttl, ours)
  local lane, line = find(id)
  if not line and (call('HEXISTS', P .. 'holder', id) == 1 or ours ~= '1' and not is_leased(id)) then return 0 end
  -- It may have been carried out, or has been: the worker that gets it says so.
  if call('EXISTS', key('sent', id), key('outcome', id)) > 0 then return 0 end
  local stored = (call('GET', result_key) or ''):sub(1, 60)
  if stored == '' or stored:find('"RETRY"', 1, true) then
    call('SET', result_key, result, 'EX', ttl)
    call('PUBLISH', result_key, result)
  end
  if not line then return 0 end
  take_out(id, lane, line)
  forget(id)
  -- Nothing waits for this any more, such as the end of a chain may for as long as its first part does.
  call('PEXPIRE', key('revoked', id), DAY_MS)
  return 1
end

-- queue -> how many tasks waited for it; they are gone, and nothing is told of them.
function ops.purge(queue)
  local count = 0
  -- What travels with a request of this queue, whose message is gone, waits again, and goes with its own queue.
  local riding = call('HGETALL', P .. 'riding')
  for i = 1, #riding, 2 do
    local its, line = riding[i + 1]:match('^([^|]*)|(.*)$')
    local ours = its == queue or load_line(line).queue == queue
    if ours and not call('ZSCORE', P .. 'claimed', riding[i]) then turn_back(riding[i]) end
  end
  for _, line in ipairs(call('HKEYS', P .. 'lines')) do
    if call('HGET', P .. 'lines', line):match('^[^;]*') == queue then
      for _, list in ipairs({ key('now', line), key('bulk', line), key('later', line) }) do
        local later = list == key('later', line)
        local ids = later and call('ZRANGE', list, 0, -1) or call('LRANGE', list, 0, -1)
        for _, id in ipairs(ids) do
          if later then id = id:match('^%a+|%^?(.*)$') end
          count = count + call('HDEL', P .. 'waiting', id)
          call('ZREM', P .. 'expiring', id)
          call('DEL', key('once', id))
          forget(id)
        end
        call('DEL', list)
      end
      call('ZREM', P .. 'due', line)
    end
  end
  return count
end
