"""What people say of images and of queries beside their hits: tags, notes, and which label would be right."""
