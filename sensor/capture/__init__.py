"""Where packets come from: capture files today, interfaces next. Yields chunks of bytes with an index of frames."""
