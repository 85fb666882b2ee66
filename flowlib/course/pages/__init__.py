"""The course as pages: site, slides, and what they share (web)."""
