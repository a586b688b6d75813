"""What the pages share: shell, state, loaders, gallery, palette and text.

Every page calls :func:`pages.parts.shell.begin` first, keeps what it shows in the URL through :mod:`pages.parts.state`,
reads the core through :mod:`pages.parts.loaders`, and shows images through :mod:`pages.parts.gallery`.
"""
