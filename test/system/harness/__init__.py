"""What the system tests share: reporting, processes, keys, memory, servers."""
