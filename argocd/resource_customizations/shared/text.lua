-- Text that a person typed. Argo CD runs actions without Lua's library for strings, so a byte is found by comparing.

local BYTES = {}
for code = 0, 255 do
  BYTES[code] = loadstring("return '\\" .. tostring(code) .. "'")()
end

-- The largest byte that can follow the beginning so that it is not greater than the text is the text's own.
local function byte_after(beginning, whole_text)
  local low, high = 0, 255
  while low < high do
    local middle = (low + high + 1 - (low + high + 1) % 2) / 2
    if beginning .. BYTES[middle] <= whole_text then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

local function bytes(whole_text)
  local found, beginning = {}, ""
  while beginning ~= whole_text do
    local code = byte_after(beginning, whole_text)
    found[#found + 1] = code
    beginning = beginning .. BYTES[code]
  end
  return found
end

local HEX = { [0] = "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f" }

-- As a string of JSON: quotes, backslashes and control characters are escaped.
local function json(whole_text)
  local parts = {}
  for _, code in ipairs(bytes(whole_text)) do
    if code == 34 or code == 92 then
      parts[#parts + 1] = "\\" .. BYTES[code]
    elseif code < 32 then
      parts[#parts + 1] = "\\u00" .. HEX[(code - code % 16) / 16] .. HEX[code % 16]
    else
      parts[#parts + 1] = BYTES[code]
    end
  end
  return '"' .. table.concat(parts) .. '"'
end
