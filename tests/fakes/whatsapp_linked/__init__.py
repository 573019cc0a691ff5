"""WhatsApp's servers as far as a linked device sees them; see `server` and `messages`."""
