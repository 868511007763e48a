-- Sets or takes away one annotation. Git does not state it, so Argo CD's self-heal leaves it as it is; the spec is not touched.

local function annotate(name, value)
  if type(obj.metadata.annotations) ~= "table" then
    obj.metadata.annotations = {}
  end
  obj.metadata.annotations[name] = value
  return obj
end

local function refuse(why)
  if why ~= nil then
    error(obj.kind .. " " .. text(obj.metadata.name) .. ": " .. why, 0)
  end
end
