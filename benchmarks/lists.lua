-- For wrk: lists of users at random; a delay before each request where a rate is wanted. Prints one JSON object.
-- wrk … -s lists.lua URL -- PATH N_USERS DELAY_MS [QUERY]
local path, n_users, delay_ms, query

function init(args)
  path, n_users, delay_ms, query = args[1], tonumber(args[2]), tonumber(args[3]), args[4] or ""
  math.randomseed(7)
end

function request()
  return wrk.format("GET", path .. "u" .. math.random(n_users) .. query)
end

function delay()
  -- an exponential distribution: requests come one by one, as from many visitors
  return delay_ms > 0 and math.floor(-math.log(1 - math.random()) * delay_ms + 0.5) or 0
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
