"""Help for who sees a page the first time, or has no mouse."""
