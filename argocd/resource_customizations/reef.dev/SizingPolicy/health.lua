-- Health of a SizingPolicy. It has no status: it counts from the moment in which it is stored, and what it means for a VM is told by that VM.

return { status = "Healthy", message = "it counts since it was stored; what it means for a VM is told by that VM" }
