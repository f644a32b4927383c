"""What computes: problems, plans, algorithms and the leaves that they share."""
