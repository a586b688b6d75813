"""Images on a page: gallery, pictures, choosing and filtering."""
