"""Search: the pictures that speech may mean, and what others wrote below such pictures."""
