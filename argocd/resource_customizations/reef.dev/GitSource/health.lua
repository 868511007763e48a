-- Health of a GitSource. What cannot be fetched is tried again by itself, and is told as degraded all the same: nothing new arrives meanwhile.
--- include shared/object.lua
--- include shared/hints.lua
--- include shared/health.lua

return health({
  degraded = { Unreachable = true, FetchTimedOut = true, CacheCorrupt = true, AuthFailed = true },
  suspended = { Suspended = true },
})
