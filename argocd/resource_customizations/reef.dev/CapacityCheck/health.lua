-- Health of a CapacityCheck, by which a sync waits, goes on or ends. The lines of the plan stand in the message, because a sync's result has no other place.
--- include shared/object.lua
--- include shared/hints.lua
--- include shared/health.lua

local LINES = 20

local function lines()
  local shown = {}
  for _, line in ipairs(list(at(obj, "status", "lines"))) do
    if text(line) ~= "" and #shown < LINES then
      shown[#shown + 1] = "\n" .. line
    end
  end
  return table.concat(shown)
end

return health({ degraded = {}, suspended = {}, more = lines() })
