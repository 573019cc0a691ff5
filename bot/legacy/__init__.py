"""What two older programs called nanobot left behind in ~/.nanobot, and what becomes of it here.

`source` reads their JSON, `detect` tells whose it is, `rust` and `python` convert one each; all of them are pure.
"""
