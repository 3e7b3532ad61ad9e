"""Programs on asyncsys_loop: a file server, and the demo that drives it."""
