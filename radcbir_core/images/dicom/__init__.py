"""DICOM: from a file to stored values, and from these to what is shown."""
