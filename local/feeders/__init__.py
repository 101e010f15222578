"""What puts traffic on the streams of the suite that is up."""
