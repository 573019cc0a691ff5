"""A daemon under steady load with faults and kills at random, and an account of every message afterwards.

    python -m tests.soak --messages 3000 --seconds 600 --kills 300
    python -m tests.soak --messages 20000 --seconds 3600 --plot docs/soak.svg

What is asked carries a number, and what is answered repeats the numbers of all that was asked, so that the account
compares what people sent with what they see, and both with the daemon's own tables.
"""
