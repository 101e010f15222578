"""What every function of the suite uses: settings from the environment and cached AWS clients."""
