-- A worker's turn goes on: what is due is released.

-- -> number of tasks released
function ops.tick()
  sweep()
  expire()
  return serve_due(200)
end
