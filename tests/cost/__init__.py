"""What a request costs, counted in processor instructions: the same on a busy machine as on an idle one."""
