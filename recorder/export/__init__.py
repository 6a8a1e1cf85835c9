"""Export: clips, made of byte ranges of stored segments; nothing is remuxed by ffmpeg."""
