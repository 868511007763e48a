-- The action suspend: who has run it stands in the event that Argo CD writes, since a script is not told. As with `reef suspend`, a suspension ends by
-- itself after a day where nothing else is said.

local UNITS = { [115] = 1, [109] = 60, [104] = 3600, [100] = 86400 }
local LONGEST = 10 * 365 * 86400
local REASON_BYTES = 500

local function parameter(name, usual)
  local value = text(at(actionParams, name))
  return value ~= "" and value or usual
end

-- A whole number and a unit, as 30m, 2h or 3d; nothing where it is something else.
local function seconds(span)
  local number, digits, all = 0, 0, bytes(span)
  for place, code in ipairs(all) do
    if code >= 48 and code <= 57 and place <= 9 then
      number, digits = number * 10 + code - 48, digits + 1
    elseif place == #all and digits > 0 and UNITS[code] ~= nil then
      return number * UNITS[code]
    else
      return nil
    end
  end
  return nil
end

local function until_when()
  local span = parameter("for", "24h")
  if span == "forever" then
    return ""
  end
  local lasts = #span <= 16 and seconds(span) or nil
  if lasts == nil or lasts == 0 or lasts > LONGEST then
    refuse("the parameter `for` cannot be used: write it as 30m, 2h, 3d or forever; ten years at most")
  end
  return ',"until":"' .. later(lasts) .. '"'
end

local function suspend()
  refuse(against_suspend())
  local reason = parameter("reason", "no reason was given")
  if #reason > REASON_BYTES then
    refuse("the parameter `reason` has " .. tostring(#reason) .. " bytes, and at most " .. tostring(REASON_BYTES) .. " are kept: say it shorter")
  end
  local value = '{"reason":' .. json(reason) .. ',"by":"Argo CD"' .. until_when() .. ',"at":"' .. now() .. '"}'
  return annotate(SUSPENDED, value)
end
