-- The end of a request: its lease, Klaviyo's headers, and what becomes of the task.

-- id holder used limit remaining reset block_ms forget accepted_key unanswered reason -> adopted limit, or 0
--   holder    as at the claim, or "": a worker that was taken for dead must not close the lease of its successor
--   used      1 if the request may have reached Klaviyo and was counted there; 0 for a 429, or nothing sent
--   limit …   the RateLimit headers, or "" without them; block_ms  for which nothing more is sent
--   forget    1 if the request was certainly not carried out: an unrepeatable action may be sent again
--   accepted_key   as above; unanswered  1 if no answer came
--   reason    of a block that is not after a 429, or ""
function ops.close(id, holder, used, limit, remaining, reset, block, forget, accepted_key, unanswered, reason)
  local held_by = call('HGET', P .. 'holder', id) or ''
  if held_by ~= '' and held_by ~= holder then return 0 end
  if forget == '1' then call('DEL', key('sent', id)) end
  -- This worker's own has run out; what there is now was granted since.
  if held_by ~= holder then return 0 end
  local adopted = end_request(id, used, limit, remaining, reset, block, accepted_key, unanswered, reason)
  serve_due(8)
  return adopted
end

-- unacked unacked_index | id holder limit remaining reset accepted_key key value ttl_s, for each task -> adopted limits
-- The end of tasks whose requests have succeeded, all of it atomically: the leases are closed as above, the results
-- stored, key "" where nobody wants one, and the deliveries, which held the leases, struck off the record.
function ops.finish(unacked, index, ...)
  local values, ids, ends, tags = { ... }, {}, {}, {}
  for i = 1, #values, 9 do ids[#ids + 1] = values[i] end
  local holders, closing = call('HMGET', P .. 'holder', unpack(ids)), {}
  for i, id in ipairs(ids) do
    local holder, limit, remaining, reset, accepted_key, name, value, ttl = unpack(values, 9 * i - 7, 9 * i)
    if holders[i] == holder then
      closing[#closing + 1] = id
      ends[#closing] = { i, limit, remaining, reset, accepted_key }
    end
    if name ~= '' then publish(name, value, ttl) end
    tags[i] = holder
  end
  local adopted = {}
  for i = 1, #ids do adopted[i] = 0 end
  local noted = {}
  for n, line in ipairs(#closing > 0 and close_leases(closing, true) or {}) do
    local i, limit, remaining, reset, accepted_key = unpack(ends[n])
    local spec = line and load_line(line)
    if spec then
      local who = accepted_key .. line:match('^[^:]*')
      if not noted[who] then note_answer(line, accepted_key) end
      noted[who] = true
      if limit ~= '' and #spec.buckets == 1 then
        adopted[i] = correct(line, spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
      end
    end
  end
  call('HDEL', unacked, unpack(tags))
  call('ZREM', index, unpack(tags))
  serve_due(8)
  return adopted
end
