-- Reads an object of which nothing is certain: it may be of another version, and anybody may have written its status. Nothing here ends in an error.

local function at(value, ...)
  for _, key in ipairs({ ... }) do
    if type(value) ~= "table" then
      return nil
    end
    value = value[key]
  end
  return value
end

local function text(value)
  return type(value) == "string" and value or ""
end

local function list(value)
  return type(value) == "table" and value or {}
end

local function annotation(name)
  local value = at(obj, "metadata", "annotations", name)
  return type(value) == "string" and value or nil
end

local function condition(kind)
  for _, found in ipairs(list(at(obj, "status", "conditions"))) do
    if at(found, "type") == kind then
      return found
    end
  end
  return nil
end

local function is_true(kind)
  return at(condition(kind), "status") == "True"
end
