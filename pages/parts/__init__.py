"""What the pages share: shell, state, loaders, gallery, palette and text.

Every page calls :func:`pages.parts.frame.shell.begin` first, keeps what it shows in the URL through
:mod:`pages.parts.frame.state`, reads the core through :mod:`pages.parts.frame.loaders`, and shows images through
:mod:`pages.parts.images.gallery`.
"""
