"""What a process may hold of memory, and what it does when that runs out."""
