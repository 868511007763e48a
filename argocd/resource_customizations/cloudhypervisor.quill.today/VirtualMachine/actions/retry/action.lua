-- Asks to try again now what was refused, deferred or given up.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua
--- include cloudhypervisor.quill.today/VirtualMachine/actions/against.lua
--- include shared/time.lua

refuse(against_retry())
return annotate("reef.dev/retry-requested-at", now())
