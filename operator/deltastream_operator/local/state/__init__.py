"""What lies under DELTASTREAM_HOME: files, secrets, and the stores with their data."""
