"""WhatsApp as one more linked device of a phone: the library lives in a child process, the channel outside it.

In the child: `child` (its pipes and its end), `device` (the library), `events` and `content` (what it tells), `compose`
(what it is given to send), `failures` (its words), `spool` (what may not be lost while processes are killed).
Outside: `channel`, `keeper` (starts and restarts the child), `line` (its pipes), `rules` (what follows from each way in
which a connection ends), `login`. Both know `protocol` and `jids`, and nothing else of each other.
"""
