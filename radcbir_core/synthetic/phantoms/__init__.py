"""Phantoms: synthetic 2-D radiological images with known ground truth, made deterministically from a seed.

They let everything work at once on a machine with neither data nor network, and they let a retrieval be read against
what is really in an image: which lesion, where, how large, how bright. They are no patients, and no study of an
encoder on phantoms says how it does on patients.
"""
