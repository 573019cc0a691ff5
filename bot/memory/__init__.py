"""What is remembered: facts in files that people may edit, observations they come from, and what tools taught."""
