"""The library as the child of a test finds it: its own events and protobufs, and a client without WhatsApp behind it.

Its folder's parent goes first on the module path; whatever is not here is the real library's.
"""

from __future__ import annotations

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.0.0 (a stand-in)"
