"""What can be asked: images, sentences, vectors, and what narrows them."""
