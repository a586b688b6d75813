"""What encoders that compute with torch have in common."""
