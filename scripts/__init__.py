"""What prepares a checkout; none of it is part of the package."""
