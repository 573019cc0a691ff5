"""`python -m tests.markup`: renew the examples in docs/MARKUP.md."""

from tests.markup import page

if __name__ == "__main__":
    page.write()
