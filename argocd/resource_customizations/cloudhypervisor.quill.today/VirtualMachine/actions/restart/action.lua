-- Asks for a new start of a VM.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua
--- include cloudhypervisor.quill.today/VirtualMachine/actions/against.lua
--- include shared/time.lua

refuse(against_restart())
return annotate("reef.dev/restart-requested-at", now())
