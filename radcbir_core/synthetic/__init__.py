"""Synthetic images, the default encoder trained with them, and the demonstration; nothing else needs them."""
