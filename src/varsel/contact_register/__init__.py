"""Where identities become addresses: one seam, and the registers behind it."""
