"""The Review page: what was said, case by case, and as tables."""
