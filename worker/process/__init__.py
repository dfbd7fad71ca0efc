"""What makes a process a worker: its start and end, its loop and threads, and how it takes a message up."""
