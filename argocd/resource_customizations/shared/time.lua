-- Times as Reef reads them, in UTC. What formats another time than the present one in Argo CD does so in the zone of its server.

local os = require("os")

local function now()
  return os.date("!%Y-%m-%dT%XZ")
end

local function whole(value, by)
  return (value - value % by) / by
end

local function two(number)
  return (number < 10 and "0" or "") .. tostring(number)
end

-- Days since 1970-01-01 as a date, by eras of 400 years that begin in March.
local function date(days)
  local shifted = days + 719468
  local era = whole(shifted, 146097)
  local of_era = shifted - era * 146097
  local year = whole(of_era - whole(of_era, 1460) + whole(of_era, 36524) - whole(of_era, 146096), 365)
  local of_year = of_era - (365 * year + whole(year, 4) - whole(year, 100))
  local month = whole(5 * of_year + 2, 153)
  local day = of_year - whole(153 * month + 2, 5) + 1
  month = month < 10 and month + 3 or month - 9
  return tostring(year + era * 400 + (month <= 2 and 1 or 0)) .. "-" .. two(month) .. "-" .. two(day)
end

local function later(seconds)
  local moment = os.time() + seconds
  local of_day = moment % 86400
  local clock = two(whole(of_day, 3600)) .. ":" .. two(whole(of_day, 60) % 60) .. ":" .. two(of_day % 60)
  return date(whole(moment, 86400)) .. "T" .. clock .. "Z"
end
