"""The files under DELTASTREAM_HOME: secrets, records, and the stores with their data."""
