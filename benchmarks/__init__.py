"""What gittrack costs, as ratios against floors: the least work anyone could do for the same result."""
