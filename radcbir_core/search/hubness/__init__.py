"""Orders of hits that hold hubs back."""
