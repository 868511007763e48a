-- Keeps what Git states from a GitSource for a while.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua
--- include shared/time.lua
--- include shared/text.lua
--- include shared/suspend.lua

return suspend()
