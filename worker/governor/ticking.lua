-- A worker's turn: what is due is released.

-- -> number of tasks released
function ops.tick()
  local idle = true
  for _, what in ipairs({ 'due', 'granted', 'claimed', 'expiring' }) do
    idle = idle and #call('ZRANGEBYSCORE', P .. what, '-inf', now, 'LIMIT', 0, 1) == 0
  end
  if idle then return 0 end
  sweep()
  expire()
  return serve_due(200)
end
