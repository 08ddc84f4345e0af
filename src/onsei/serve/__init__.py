"""Pages served on this machine: live curves of a run."""
