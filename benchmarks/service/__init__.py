"""How much a portal bears: reads, viewers, uploads, long lists, and an hour of them."""
