"""The dashboard: what the server serves, and the script of Home, which Streamlit runs for whoever opens it."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

if __name__ == "__main__":
    from pages.parts.home import overview

    overview.page()
else:
    # Imported by the server, once; what pages need is imported with the first of them.
    from pages.parts.frame.request_guard import RequestGuard
    from pages.parts.map.routes import routes

    app = st.App(__file__, routes=routes(), middleware=[Middleware(RequestGuard)])
