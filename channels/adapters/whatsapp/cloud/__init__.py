"""WhatsApp through Meta's Cloud API: what people write is delivered to a webhook, answers go out by HTTP.

`webhook` (who delivers), `reading` and `content` (what is delivered, pure), `reception` (has it stored), `notes` (what
is remembered of each chat), `graph` (Meta's server), `failures` (its errors, pure), `payloads` (its requests, pure),
`media`, `sending`, `channel`, `examine`.
"""
