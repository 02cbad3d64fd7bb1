-- wrk sends GET unless told otherwise; and it prints for people, so the figures come as one line of JSON as well.
wrk.method = "POST"

-- What follows -- in the arguments: a body of JSON, or nothing.
function init(args)
  if args[1] then
    wrk.body = args[1]
    wrk.headers["Content-Type"] = "application/json"
  end
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout
  ))
end
