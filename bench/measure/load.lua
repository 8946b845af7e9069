-- Load script for wrk. Arguments: vary (0 or 1), then name and value of each header, in order.
-- With vary = 1 one header has another value in each request, so that no side gains by recognising a head it has seen.
-- Prints one line of JSON at the end.

local MARK = "@@COUNTER@@"

function init(args)
  local vary = args[1] == "1"
  local lines = { string.format("GET %s HTTP/1.1\r\n", wrk.path) }
  for i = 2, #args, 2 do
    lines[#lines + 1] = args[i] .. ": " .. args[i + 1] .. "\r\n"
  end
  lines[#lines + 1] = "X-Trace: " .. (vary and MARK or "1000000") .. "\r\n\r\n"
  local text = table.concat(lines)
  if not vary then
    request = function() return text end
    return
  end
  local from, to = text:find(MARK, 1, true)
  local before, after, counter = text:sub(1, from - 1), text:sub(to + 1), 1000000
  request = function()
    counter = counter + 1
    return before .. counter .. after
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%d,"microseconds":%d,"failures":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.bytes, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
