"""Rides: visitors request a ride from a fleet of unicorns, and follow it."""
