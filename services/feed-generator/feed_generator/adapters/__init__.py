"""What the generator writes to outside its process: Redis."""
