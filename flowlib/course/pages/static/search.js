// Browsers let no page read another one from file://. Search works there all the same, but it cannot
// show where in a page the word stands.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
