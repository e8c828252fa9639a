"""One application for each framework; which sessions it has is said by its environment."""
