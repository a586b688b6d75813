"""What pages that show evaluations share."""
