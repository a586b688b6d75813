"""The recipe of radcbir-mini, the small CLIP that comes with RadCBIR: data list, texts, augmentation, losses, training.

Nothing here is needed to use the encoder, which is loaded like any other checkpoint; it is here so that it can be made
again, and made better. Heavy libraries are imported inside the functions that need them.
"""
