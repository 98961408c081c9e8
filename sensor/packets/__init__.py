"""From the bytes of a frame down to the TCP segment in it: one function a layer, one row a link type."""
