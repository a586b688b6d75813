"""DICOMweb: searching a server (QIDO-RS) and retrieving from it (WADO-RS), DICOM PS3.18, 10.4 and 10.6.

By the standard library alone: two kinds of GET, JSON, and one part of a multipart answer are little, and what matters
here (no redirect is followed, nothing is read without a limit, one instance at a time) would have to be held against a
general client anyway.
"""
