"""What an evaluation's report looks like: one page to print, and a card for a README."""
