"""What tests stand on: media with numbered frames, cameras, stores, databases, nodes."""
