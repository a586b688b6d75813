"""The dashboard: what the server serves, and the script of Home, which Streamlit runs for whoever opens it."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

if __name__ == "__main__":
    from pages.parts.home import overview

    overview.page()
else:
    # Imported by the server, once, and light: it listens soon, and then imports what pages need.
    from pages.parts.frame import downloads
    from pages.parts.frame.page_modules import imported_ahead
    from pages.parts.frame.request_guard import RequestGuard
    from pages.parts.images.viewer import viewer_routes
    from pages.parts.map import routes

    app = st.App(
        __file__,
        routes=[*routes.routes(), *viewer_routes.routes(), *downloads.routes()],
        middleware=[Middleware(RequestGuard)],
        lifespan=imported_ahead,
    )
