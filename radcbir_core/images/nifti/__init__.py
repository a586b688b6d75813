"""NIfTI volumes: what their headers say, how they lie in the patient, and one slice of them at a time."""
